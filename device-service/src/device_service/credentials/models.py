from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import ForeignKey, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from device_service.base import Base
from fleet_kit.database import UtcDateTime


class Credential(Base):
    """The one key of a device, as SHA-256: random enough to need no slow hash. No row: revoked."""

    __tablename__ = "t_device_credentials"

    device_id: Mapped[UUID] = mapped_column(ForeignKey("t_devices.id", ondelete="CASCADE"), primary_key=True)
    organization_id: Mapped[UUID]
    key_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=lambda: datetime.now(UTC))
