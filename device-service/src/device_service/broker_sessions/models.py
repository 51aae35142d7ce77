"""The table `t_session_ends`: devices whose open sessions at the broker have to be closed."""

from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy.orm import Mapped, mapped_column

from device_service.base import Base
from fleet_kit.database import UtcDateTime


class SessionTermination(Base):
    """A device that lost a key at `since`. The device itself may be gone by now."""

    __tablename__ = "t_session_ends"

    device_id: Mapped[UUID] = mapped_column(primary_key=True)
    since: Mapped[datetime] = mapped_column(UtcDateTime, default=lambda: datetime.now(UTC))
    due_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True, default=lambda: datetime.now(UTC))
