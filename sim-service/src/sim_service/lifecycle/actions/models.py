"""The table `sim_actions`: every change that was asked for at the carrier, and what became of it."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKey, Index, SmallInteger, String, Text, Uuid, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from fleet_kit.database import UtcDateTime
from fleet_kit.ids import uuid7
from sim_service.carrier.models import CarrierSim, SimChange, SimStatus
from sim_service.platform.database import Base


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
SUPERSEDED_OF_A_SIM = 100
"""Of more the oldest are forgotten: no carrier's rate bounds how many there are."""
OPEN_ROWS = text("state IN ('pending', 'sent')")
_MAX_DELAY_SECONDS = 300.0
_RESEND_AFTER = timedelta(seconds=60)
"""An accepted change should show by then; else it is sent again, which does no harm."""


class SimAction(Base):
    """A change of one SIM. `priority` 0: interactive. `leased_until`: a worker processes it.

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
        Index(
            "ix_sim_actions_due_by_owner", "organization_id", "priority", "due_at", postgresql_where=OPEN_ROWS
        ),
        Index("ix_sim_actions_finished", "finished_at", postgresql_where=text("finished_at IS NOT NULL")),
        Index("ix_sim_actions_leased", "iccid", postgresql_where=text("leased_until IS NOT NULL")),
        Index("uq_sim_actions_open", "iccid", "what", unique=True, postgresql_where=OPEN_ROWS),
    )

    @property
    def is_open(self) -> bool:
        return self.state in OPEN_STATES

    def lease(self, until: datetime) -> None:
        self.leased_until, self.attempts = until, self.attempts + 1

    def join(self, priority: int) -> None:
        """The same was requested again; an interactive request does not wait for the delay to pass."""
        if priority == 0:
            self.priority, self.due_at = 0, datetime.now(UTC)

    def to_send(self, now: datetime) -> bool:
        """Whether it has to be sent, for the first time or because it does not show in time."""
        return self.state == ActionState.PENDING or self.sent_at is None or now - self.sent_at > _RESEND_AFTER

    def sent(self) -> None:
        self.state, self.sent_at, self.reason = ActionState.SENT, datetime.now(UTC), None

    def shows_in(self, facts: CarrierSim) -> bool:
        """Whether the carrier's SIM has the wanted value."""
        if self.what == ActionKind.LABEL:
            return facts.label.strip() == str(self.wanted).strip()
        if self.what == ActionKind.IMEI_LOCK:
            return bool(facts.imei_lock) == self.wanted
        return facts.status == SimStatus(str(self.wanted))

    def retry_later(self, reason: str, *, max_attempts: int) -> None:
        """Try once more, later each time; after the last attempt it has failed."""
        self.reason = reason
        if self.attempts >= max_attempts:
            self.finish(ActionState.FAILED, f"given up after {self.attempts} attempts: {reason}")
        else:
            seconds = min(_MAX_DELAY_SECONDS, 2.0 ** min(self.attempts - 1, 10))
            self.due_at = datetime.now(UTC) + timedelta(seconds=seconds)

    def finish(self, state: ActionState, reason: str | None = None) -> None:
        self.state, self.reason, self.finished_at = state, reason, datetime.now(UTC)


def wanted_parts(change: SimChange) -> dict[ActionKind, str | bool]:
    """What a change asks for, by kind; the kinds are named as the fields of SimChange."""
    kinds = (ActionKind.STATUS, ActionKind.LABEL, ActionKind.IMEI_LOCK)
    return {kind: wanted for kind in kinds if (wanted := getattr(change, kind)) is not None}
