"""The columns, states and transitions of every purchase at the carrier."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import SmallInteger, String, Text, Uuid, func, text
from sqlalchemy.orm import Mapped, mapped_column

from fleet_kit.database import UtcDateTime
from fleet_kit.ids import uuid7
from sim_service.carrier.lost_calls import growing_delay


class PurchaseState(StrEnum):
    """How far a purchase got.

    AWAITING_APPROVAL: costs so much that the platform administrator decides first. REQUESTED: intended; the
    carrier was not asked yet. SENT: the carrier is being asked. UNKNOWN: its answer was lost, so it is
    looked for. ORDERED: the carrier has an order. BOOKED: it is there. FAILED: it costs nothing.
    """

    AWAITING_APPROVAL = "awaiting_approval"
    REQUESTED = "requested"
    SENT = "sent"
    UNKNOWN = "unknown"
    ORDERED = "ordered"
    BOOKED = "booked"
    FAILED = "failed"


UNSETTLED = (PurchaseState.REQUESTED, PurchaseState.SENT, PurchaseState.UNKNOWN)
"""Nobody knows yet whether it costs money."""
PENDING = (*UNSETTLED, PurchaseState.ORDERED)
SPENT = (*PENDING, PurchaseState.BOOKED)
"""What costs money, or may yet."""
COUNTED = (PurchaseState.AWAITING_APPROVAL, *SPENT)
"""What counts against the budget of an organisation: also what it would cost if it is approved."""

NOT_FOUND = "CARRIER_ORDER_NOT_FOUND"
BY_HAND = "SETTLED_BY_HAND"
ORDER_CANCELLED = "CARRIER_ORDER_CANCELLED"
UNSETTLED_ROWS = text("state IN ('requested', 'sent', 'unknown')")
ORDERED_ROWS = text("order_number IS NOT NULL")
FAILED_ROWS = text("state = 'failed'")
FAILED_UNORDERED_ROWS = text(f"state = 'failed' AND order_number IS NULL AND reason <> '{NOT_FOUND}'")
"""What the carrier never had an order for; one that was only not found may turn up late."""
PENDING_ROWS = text("state IN ('requested', 'sent', 'unknown', 'ordered')")

ABANDON_AFTER = timedelta(seconds=300)
"""A purchase whose process died before it asked the carrier is given up after this."""
MAX_CALL_DURATION = timedelta(seconds=180)
"""No call to a carrier takes longer than this; what is still SENT then was lost."""
_MOST_POLLS = 12
"""Counted further, polls would be no rarer, and the column would overflow."""
_LONGEST_UNKNOWN, _LONGEST_ORDERED = timedelta(seconds=60), timedelta(hours=1)


class Purchase:
    """`reason`: a code. A transition returns whether it applied: what comes late or twice changes nothing."""

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=uuid7)
    organization_id: Mapped[UUID] = mapped_column(Uuid)
    state: Mapped[str] = mapped_column(String(20), default=PurchaseState.REQUESTED)
    order_number: Mapped[str | None] = mapped_column(String(40))
    reason: Mapped[str | None] = mapped_column(Text)
    polls: Mapped[int] = mapped_column("looks", SmallInteger, default=0)
    next_poll_at: Mapped[datetime] = mapped_column("next_look_at", UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, server_default=func.now())
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ordered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    settled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    @property
    def asked_at(self) -> datetime:
        return self.sent_at or self.created_at

    def mark_sent(self) -> bool:
        """The carrier is asked now; False if the purchase was given up meanwhile."""
        if self.state != PurchaseState.REQUESTED:
            return False
        now = datetime.now(UTC)
        self.state, self.sent_at, self.next_poll_at = PurchaseState.SENT, now, now + MAX_CALL_DURATION
        return True

    def mark_unsent(self) -> bool:
        """The carrier has refused an order for many SIMs as a whole, so each may still be asked for."""
        if self.state != PurchaseState.SENT:
            return False
        self.state, self.sent_at = PurchaseState.REQUESTED, None
        return self.postpone_expiry()

    def postpone_expiry(self) -> bool:
        """A living process will ask for it, after others."""
        if self.state != PurchaseState.REQUESTED:
            return False
        self.next_poll_at = datetime.now(UTC) + ABANDON_AFTER
        return True

    def mark_outcome_unknown(self, reason: str) -> bool:
        if self.state != PurchaseState.SENT:
            return False
        self.state, self.reason = PurchaseState.UNKNOWN, reason
        self.poll_soon()
        return True

    def mark_ordered(self, number: str) -> bool:
        """The carrier has this order for it; also after it was given up for want of one."""
        lost = self.state == PurchaseState.FAILED and self.reason == NOT_FOUND
        if self.state not in {PurchaseState.SENT, PurchaseState.UNKNOWN} and not lost:
            return False
        self.state, self.reason, self.settled_at = PurchaseState.ORDERED, None, None
        self.order_number, self.ordered_at = number, datetime.now(UTC)
        self.poll_soon()
        return True

    def mark_booked(self) -> bool:
        if self.state not in {PurchaseState.SENT, PurchaseState.UNKNOWN, PurchaseState.ORDERED}:
            return False
        self.state, self.reason, self.settled_at = PurchaseState.BOOKED, None, datetime.now(UTC)
        self.ordered_at = self.ordered_at or self.settled_at
        return True

    def mark_failed(self, reason: str) -> bool:
        if self.state not in PENDING:
            return False
        self.state, self.reason, self.settled_at = PurchaseState.FAILED, reason, datetime.now(UTC)
        return True

    def expire_stale_call(self) -> None:
        """The process that was to ask the carrier, or was asking it, is gone."""
        if self.state == PurchaseState.REQUESTED:
            self.mark_failed("NEVER_SENT")
        else:
            self.mark_outcome_unknown("PROCESS_DIED")

    def overdue(self, patience: timedelta) -> bool:
        return datetime.now(UTC) - self.asked_at >= patience

    def schedule_poll(self) -> None:
        """Poll again, later each time."""
        longest = _LONGEST_ORDERED if self.state == PurchaseState.ORDERED else _LONGEST_UNKNOWN
        self.polls = min(self.polls + 1, _MOST_POLLS)
        self.next_poll_at = datetime.now(UTC) + growing_delay(self.polls, longest=longest)

    def skip_poll(self) -> None:
        """Nobody came to poll it: it is due as before."""
        if self.state == PurchaseState.ORDERED:
            self.polls, self.next_poll_at = max(0, self.polls - 1), datetime.now(UTC)

    def poll_soon(self) -> None:
        """Start the delays anew: something may have changed."""
        self.polls, self.next_poll_at = 0, datetime.now(UTC) + growing_delay(0, longest=_LONGEST_UNKNOWN)
