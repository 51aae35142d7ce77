"""The tables `support_tickets` and `support_ticket_entries`: requests for help and what was said."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Boolean, ForeignKey, Index, Integer, String, Text, Uuid, func
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from fleet_kit.database import UtcDateTime
from fleet_kit.ids import uuid7
from sim_service.carrier.models import CarrierTicket
from sim_service.platform.database import Base

OPENING, UNKNOWN, FAILED = "opening", "unknown", "failed"
"""Our statuses of tickets that the carrier's list has not shown: being asked for, answer lost, not opened."""


class SupportTicket(Base):
    """`organization_id` None: nobody here opened it; `carrier_id`: known once the carrier has listed it."""

    __tablename__ = "support_tickets"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=uuid7)
    organization_id: Mapped[UUID | None] = mapped_column(Uuid)
    carrier_id: Mapped[str | None] = mapped_column(String(40), unique=True)
    subject: Mapped[str] = mapped_column(String(500))
    text: Mapped[str] = mapped_column(Text)
    sender: Mapped[str | None] = mapped_column(String(255))
    reply_to: Mapped[str | None] = mapped_column(String(255))
    status: Mapped[str] = mapped_column(String(40))
    entries: Mapped[int] = mapped_column(Integer, default=0)
    requested_by: Mapped[UUID | None] = mapped_column(Uuid)
    asked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, server_default=func.now())
    solved_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    synced_at: Mapped[datetime] = mapped_column(UtcDateTime, server_default=func.now())

    __table_args__ = (
        Index("ix_support_tickets_owner_created", "organization_id", "created_at", "id"),
        Index("ix_support_tickets_created", "created_at", "id"),
        Index("ix_support_tickets_unseen", "asked_at", postgresql_where=sql("carrier_id IS NULL")),
    )

    def update_from_carrier(self, facts: CarrierTicket, now: datetime) -> None:
        self.carrier_id, self.status = facts.id, facts.status
        self.subject, self.text = facts.subject, facts.text
        self.created_at = facts.created_at or self.created_at or now
        self.solved_at, self.entries, self.synced_at = facts.solved_at, len(facts.entries), now


class SupportTicketEntry(Base):
    """One message of a conversation, `number` in its order. `from_us`: written by the customer."""

    __tablename__ = "support_ticket_entries"

    ticket_id: Mapped[UUID] = mapped_column(
        ForeignKey("support_tickets.id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    organization_id: Mapped[UUID | None] = mapped_column(Uuid)
    carrier_id: Mapped[str] = mapped_column(String(40))
    at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    from_us: Mapped[bool] = mapped_column(Boolean)
    author: Mapped[str | None] = mapped_column(String(255))
    subject: Mapped[str | None] = mapped_column(String(500))
    text: Mapped[str] = mapped_column(Text)
