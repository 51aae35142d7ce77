"""The tables `sim_events` (what the network noted) and `sim_event_states` (how far it was asked for)."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, Integer, String, Text, Uuid, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from fleet_kit.database import UtcDateTime
from sim_service.platform.database import Base


class SimEvent(Base):
    """An event, kept by the organisation that had the SIM when it happened (None: nobody did yet).

    `id` is the carrier's; the same one means the same event, whether it was asked for or pushed.
    """

    __tablename__ = "sim_events"

    iccid: Mapped[str] = mapped_column(String(19), primary_key=True)
    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    organization_id: Mapped[UUID | None] = mapped_column(Uuid)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    type: Mapped[str] = mapped_column(String(40))
    type_id: Mapped[int | None] = mapped_column(Integer)
    severity: Mapped[str] = mapped_column(String(10))
    description: Mapped[str] = mapped_column(Text)
    cause: Mapped[str | None] = mapped_column(String(60))
    operator: Mapped[str | None] = mapped_column(String(255))
    country: Mapped[str | None] = mapped_column(String(255))
    imsi: Mapped[str | None] = mapped_column(String(20))
    imei: Mapped[str | None] = mapped_column(String(20))
    detail: Mapped[dict[str, Any]] = mapped_column(JSONB)
    stored_at: Mapped[datetime] = mapped_column(UtcDateTime, server_default=func.now())

    __table_args__ = (Index("ix_sim_events_iccid_at", "iccid", "at", "id"), Index("ix_sim_events_at", "at"))


class SimEventState(Base):
    """`synced_at`: the carrier was asked for all events then; `known_to`: the newest it told so far.

    `not_before`: what happened until then is an earlier owner's.
    """

    __tablename__ = "sim_event_states"

    iccid: Mapped[str] = mapped_column(ForeignKey("sims.iccid", ondelete="CASCADE"), primary_key=True)
    organization_id: Mapped[UUID | None] = mapped_column(Uuid)
    synced_at: Mapped[datetime] = mapped_column(UtcDateTime)
    known_to: Mapped[datetime | None] = mapped_column(UtcDateTime)
    not_before: Mapped[datetime | None] = mapped_column(UtcDateTime)

    def not_before_for(self, owner: UUID | None) -> datetime | None:
        """Until when events are not this owner's, by syncs alone: up to the last one for another owner."""
        return self.not_before if self.organization_id in {None, owner} else self.synced_at
