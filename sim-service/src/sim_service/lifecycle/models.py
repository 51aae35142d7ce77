"""The table `sim_actions`: every change that was asked for at the carrier, and what became of it."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKey, Index, SmallInteger, String, Text, Uuid, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from fleet_kit.database import UtcDateTime
from fleet_kit.ids import uuid7
from sim_service.carrier.facts import CarrierSim, SimStatus
from sim_service.database import Base


class ActionKind(StrEnum):
    """What is changed. DRIFT changes nothing: it notes a status that the carrier took by itself."""

    STATUS = "status"
    LABEL = "label"
    IMEI_LOCK = "imei_lock"
    DRIFT = "drift"


class ActionState(StrEnum):
    """PENDING: not told to the carrier yet. SENT: told, not seen there yet. The others are final."""

    PENDING = "pending"
    SENT = "sent"
    CONFIRMED = "confirmed"
    FAILED = "failed"
    SUPERSEDED = "superseded"


OPEN_STATES = (ActionState.PENDING, ActionState.SENT)
_OPEN = text("state IN ('pending', 'sent')")
_LONGEST_DELAY_SECONDS = 300.0
_RESEND_AFTER = timedelta(seconds=60)
"""What the carrier took on should show there by then; else it is told again, which does no harm."""


class SimAction(Base):
    """A change of one SIM. `priority` 0: somebody waits for it. `leased_until`: a worker is at it.

    `attempts` counts how often a worker set about it, waiting for it to show included.
    """

    __tablename__ = "sim_actions"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=uuid7)
    iccid: Mapped[str] = mapped_column(ForeignKey("sims.iccid", ondelete="CASCADE"))
    organization_id: Mapped[UUID] = mapped_column(Uuid)
    what: Mapped[str] = mapped_column(String(20))
    wanted: Mapped[str | bool] = mapped_column(JSONB)
    state: Mapped[str] = mapped_column(String(20), default=ActionState.PENDING)
    priority: Mapped[int] = mapped_column(SmallInteger, default=0)
    attempts: Mapped[int] = mapped_column(SmallInteger, default=0)
    reason: Mapped[str | None] = mapped_column(Text)
    requested_by: Mapped[UUID | None] = mapped_column(Uuid)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime, server_default=func.now())
    leased_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, server_default=func.now())
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    __table_args__ = (
        Index("ix_sim_actions_iccid", "iccid", "id"),
        Index("ix_sim_actions_due", "priority", "due_at", postgresql_where=_OPEN),
        Index("ix_sim_actions_finished", "finished_at", postgresql_where=text("finished_at IS NOT NULL")),
        Index("ix_sim_actions_leased", "iccid", postgresql_where=text("leased_until IS NOT NULL")),
        Index("uq_sim_actions_open", "iccid", "what", unique=True, postgresql_where=_OPEN),
    )

    @property
    def is_open(self) -> bool:
        """Whether anything is still to be done."""
        return self.state in OPEN_STATES

    def lease(self, until: datetime) -> None:
        """A worker sets about it."""
        self.leased_until, self.attempts = until, self.attempts + 1

    def join(self, priority: int) -> None:
        """The same was asked for once more; somebody who waits does not wait for a delay to pass."""
        if priority == 0:
            self.priority, self.due_at = 0, datetime.now(UTC)

    def to_send(self, now: datetime) -> bool:
        """Whether the carrier has to be told, for the first time or because it seems to have forgotten."""
        return self.state == ActionState.PENDING or self.sent_at is None or now - self.sent_at > _RESEND_AFTER

    def sent(self) -> None:
        """The carrier took it on."""
        self.state, self.sent_at, self.reason = ActionState.SENT, datetime.now(UTC), None

    def shows_in(self, facts: CarrierSim) -> bool:
        """Whether the carrier has it as wanted."""
        if self.what == ActionKind.LABEL:
            return facts.label.strip() == str(self.wanted).strip()
        if self.what == ActionKind.IMEI_LOCK:
            return bool(facts.imei_lock) == self.wanted
        return facts.status == SimStatus(str(self.wanted))

    def again(self, reason: str, *, most_attempts: int) -> None:
        """Try once more, later each time; after the last attempt it has failed."""
        self.reason = reason
        if self.attempts >= most_attempts:
            self.finish(ActionState.FAILED, f"given up after {self.attempts} attempts: {reason}")
        else:
            seconds = min(_LONGEST_DELAY_SECONDS, 2.0 ** min(self.attempts - 1, 10))
            self.due_at = datetime.now(UTC) + timedelta(seconds=seconds)

    def finish(self, state: ActionState, reason: str | None = None) -> None:
        """It is over."""
        self.state, self.reason, self.finished_at = state, reason, datetime.now(UTC)
