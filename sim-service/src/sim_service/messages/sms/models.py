"""The tables `sms_messages`, `sms_parts` and `sms_reports`: messages and what became of them."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKey, Index, Integer, SmallInteger, String, Text, Uuid, func
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column, relationship

from fleet_kit.database import UtcDateTime
from fleet_kit.ids import uuid7
from sim_service.carrier.models import SmsCoding, SmsDirection
from sim_service.messages.sms.queue import UNDER_WAY_ROWS, UNSENT_ROWS
from sim_service.platform.database import Base

DEFAULT_LIFETIME = timedelta(hours=24)
"""How long a message is worth sending where nobody said otherwise; the carrier's default as well."""

MAX_CALL_DURATION = timedelta(seconds=150)
"""No call to the carrier takes longer: a part that is ASKED for longer was lost with its process."""


class State(StrEnum):
    """Where a message or a part of it is.

    SCHEDULED and PENDING: not with the carrier yet. ASKED (parts only): the carrier is being asked. UNKNOWN:
    it was asked and nobody knows its answer, or it has forgotten the message. RECEIVED: came from the SIM.
    """

    SCHEDULED = "scheduled"
    PENDING = "pending"
    ASKED = "asked"
    SENT = "sent"
    DELIVERED = "delivered"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"
    RECEIVED = "received"


FINAL = frozenset({State.DELIVERED, State.FAILED, State.EXPIRED, State.CANCELLED, State.RECEIVED})
UNSENT = (State.SCHEDULED, State.PENDING)
_OUTCOME_UNKNOWN = frozenset({State.ASKED, State.UNKNOWN})
_WORST_FIRST = (State.FAILED, State.EXPIRED, State.CANCELLED, State.UNKNOWN)


class SmsMessage(Base):
    """A message to a SIM (`mt`) or from it (`mo`), whole; `payload` is text, or hexadecimal if binary.

    `at`: when it is or was to be sent, or was received; `due_at`: when the worker is next to act, if ever.
    `organization_id` None: from a SIM that belonged to nobody when it came. `requested_by` None: a SIM.
    """

    __tablename__ = "sms_messages"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=uuid7)
    organization_id: Mapped[UUID | None] = mapped_column(Uuid)
    iccid: Mapped[str] = mapped_column(String(19))
    direction: Mapped[str] = mapped_column(String(2))
    state: Mapped[str] = mapped_column(String(20))
    coding: Mapped[str] = mapped_column(String(10))
    payload: Mapped[str] = mapped_column(Text)
    source: Mapped[str | None] = mapped_column(String(40))
    destination: Mapped[str | None] = mapped_column(String(40))
    reference: Mapped[int | None] = mapped_column(Integer)
    parts_total: Mapped[int] = mapped_column(SmallInteger)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    delivered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    final_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    error_code: Mapped[str | None] = mapped_column(String(60))
    error: Mapped[str | None] = mapped_column(Text)
    due_at: Mapped[datetime | None] = mapped_column("look_at", UtcDateTime)
    failures: Mapped[int] = mapped_column(SmallInteger, default=0)
    requested_by: Mapped[UUID | None] = mapped_column(Uuid)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, server_default=func.now())

    parts: Mapped[list["SmsPart"]] = relationship(
        lazy="raise", order_by="SmsPart.number", cascade="all, delete-orphan"
    )

    __table_args__ = (
        Index("ix_sms_messages_owner_at", "organization_id", "at", "id"),
        Index("ix_sms_messages_at", "at", "id"),
        Index("ix_sms_messages_sim_at", "iccid", "at", "id"),
        Index("ix_sms_messages_due", "look_at", "state", postgresql_where=sql("look_at IS NOT NULL")),
        Index("ix_sms_messages_unsent", "organization_id", "look_at", postgresql_where=UNSENT_ROWS),
        Index("ix_sms_messages_under_way", "organization_id", "look_at", postgresql_where=UNDER_WAY_ROWS),
    )

    @property
    def text(self) -> str | None:
        return None if self.coding == SmsCoding.BINARY else self.payload

    @property
    def hex(self) -> str | None:
        return self.payload if self.coding == SmsCoding.BINARY else None

    @property
    def address(self) -> str | None:
        """The other end: whom it came from or went to."""
        return self.destination if self.direction == SmsDirection.MO else self.source

    @property
    def complete(self) -> bool:
        """Whether every part has arrived here."""
        arrived = len({part.number for part in self.parts})
        return self.direction != SmsDirection.MO or arrived == self.parts_total

    @property
    def deadline(self) -> datetime:
        return self.expires_at or self.at + DEFAULT_LIFETIME

    @property
    def outcome_unknown(self) -> bool:
        """Whether a part was asked of the carrier and its answer is not known (yet)."""
        return any(part.state in _OUTCOME_UNKNOWN for part in self.parts)

    @property
    def unsent_parts(self) -> int:
        """Parts that the carrier does not have, where the outcome of each is known."""
        return sum(part.carrier_id is None and part.state not in FINAL for part in self.parts)

    def new_part(
        self, number: int, payload: str, udh: str, state: State, carrier_id: str | None = None
    ) -> "SmsPart":
        return SmsPart(
            organization_id=self.organization_id,
            iccid=self.iccid,
            number=number,
            payload=payload,
            udh=udh,
            state=state,
            carrier_id=carrier_id,
        )

    def settle(self) -> bool:
        """Take the state that the parts add up to; whether the carrier has only now taken all of it."""
        states = {part.state for part in self.parts}
        if worst := next((state for state in _WORST_FIRST if state in states), None):
            self.state = worst
        elif states <= {State.DELIVERED}:
            self.state = State.DELIVERED
        else:
            self.state = State.SENT if states <= {State.SENT, State.DELIVERED} else State.PENDING
        accepted = self.sent_at is None and all(part.carrier_id for part in self.parts)
        if accepted:
            self.sent_at = max(part.asked_at or self.at for part in self.parts)
        if self.state in FINAL and self.final_at is None:
            self.final_at, self.due_at = datetime.now(UTC), None
            if self.state == State.DELIVERED:
                delivered = (part.delivered_at for part in self.parts if part.delivered_at)
                self.delivered_at = max(delivered, default=None)
        return accepted

    def stop(self, state: State, code: str, reason: str) -> None:
        """End what was not sent yet, and say why; parts that the carrier has stay as they are."""
        for part in self.parts:
            if not part.carrier_id:
                part.end(state)
        self.error_code, self.error = code, reason
        self.settle()


class SmsPart(Base):
    """What travels as one short message. `carrier_id`: the carrier's id, once known; `udh` is hexadecimal."""

    __tablename__ = "sms_parts"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=uuid7)
    message_id: Mapped[UUID] = mapped_column(ForeignKey("sms_messages.id", ondelete="CASCADE"))
    organization_id: Mapped[UUID | None] = mapped_column(Uuid)
    iccid: Mapped[str] = mapped_column(String(19))
    number: Mapped[int] = mapped_column(SmallInteger)
    payload: Mapped[str] = mapped_column(Text)
    udh: Mapped[str] = mapped_column(String(280), server_default="")
    state: Mapped[str] = mapped_column(String(20))
    carrier_id: Mapped[str | None] = mapped_column(String(40))
    asked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    delivered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    __table_args__ = (
        Index("uq_sms_parts_number", "message_id", "number", unique=True),
        Index(
            "uq_sms_parts_carrier_id",
            "iccid",
            "carrier_id",
            unique=True,
            postgresql_where=sql("carrier_id IS NOT NULL"),
        ),
    )

    @property
    def is_lost(self) -> bool:
        """Whether the carrier was asked to send it and the answer was lost."""
        return self.state == State.UNKNOWN and not self.carrier_id

    def end(self, state: State, delivered_at: datetime | None = None) -> None:
        """Reach an end, once: a later report of another end changes nothing."""
        if self.state not in FINAL and self.state != state:
            self.state, self.delivered_at = state, delivered_at


class SmsReport(Base):
    """A delivery report for a message whose id is not known yet: a report may overtake the answer."""

    __tablename__ = "sms_reports"

    iccid: Mapped[str] = mapped_column(String(19), primary_key=True)
    carrier_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    organization_id: Mapped[UUID | None] = mapped_column(Uuid)
    state: Mapped[str] = mapped_column(String(20))
    delivered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    received_at: Mapped[datetime] = mapped_column(UtcDateTime, server_default=func.now(), index=True)
