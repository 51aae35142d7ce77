from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, ForeignKey, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from device_service.base import Base
from fleet_kit.database import UtcDateTime
from fleet_kit.ids import uuid7

DEVICE_EVENTS = "device_events"
"""The limit of an organisation that a reported event counts for."""


class DeviceEvent(Base):
    """Something that a device, or a person on its behalf, reported. Ids sort by time."""

    __tablename__ = "t_device_events"
    __table_args__ = (Index("ix_t_device_events_device_id_id", "device_id", "id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    organization_id: Mapped[UUID]
    device_id: Mapped[UUID] = mapped_column(ForeignKey("t_devices.id", ondelete="CASCADE"))
    event_type: Mapped[str] = mapped_column(Text)
    payload: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=lambda: datetime.now(UTC))
