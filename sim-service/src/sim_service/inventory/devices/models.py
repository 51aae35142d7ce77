"""The table `device_facts`: a copy of what device-service publishes."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Boolean, Index, String, Text, Uuid, text
from sqlalchemy.orm import Mapped, mapped_column

from fleet_kit.database import UtcDateTime
from sim_service.platform.database import Base


class DeviceFacts(Base):
    """A device. Deleted ones stay as a mark, so that a late event does not bring them back.

    `online` None: never seen. `last_seen_at`: when it was seen at its last change to online or offline.
    """

    __tablename__ = "device_facts"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    organization_id: Mapped[UUID] = mapped_column(Uuid)
    name: Mapped[str] = mapped_column(Text)
    iccid: Mapped[str | None] = mapped_column(String(40))
    version: Mapped[int] = mapped_column(BigInteger)
    deleted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    online: Mapped[bool | None] = mapped_column(Boolean)
    last_seen_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    __table_args__ = (
        Index("ix_device_facts_iccid", "iccid", postgresql_where=text("iccid IS NOT NULL")),
        Index("ix_device_facts_organization_id", "organization_id"),
        Index("ix_device_facts_deleted", "deleted_at", postgresql_where=text("deleted_at IS NOT NULL")),
    )
