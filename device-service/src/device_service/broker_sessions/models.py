"""The table `t_session_ends`: devices whose open sessions at the broker have to be closed."""

from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import Index, false
from sqlalchemy.orm import Mapped, mapped_column

from device_service.base import Base
from fleet_kit.database import UtcDateTime

UNKNOWN = UUID(int=0)
"""The organisation of a row that an earlier version wrote."""


class SessionTermination(Base):
    """A device that lost a key, or was throttled, at `since`. The device itself may be gone by now."""

    __tablename__ = "t_session_ends"
    __table_args__ = (
        Index("ix_t_session_ends_organization_id_due_at", "organization_id", "closed_once", "due_at"),
    )

    device_id: Mapped[UUID] = mapped_column(primary_key=True)
    organization_id: Mapped[UUID] = mapped_column(server_default=str(UNKNOWN))
    since: Mapped[datetime] = mapped_column(UtcDateTime, default=lambda: datetime.now(UTC))
    closed_once: Mapped[bool] = mapped_column(server_default=false())
    due_at: Mapped[datetime] = mapped_column(UtcDateTime, default=lambda: datetime.now(UTC))
