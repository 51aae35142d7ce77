"""Asking the carrier for what costs money: noted before, never repeated, followed until it is settled."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import SmallInteger, String, Text, Uuid, func, text
from sqlalchemy.orm import Mapped, mapped_column

from fleet_kit.database import UtcDateTime
from fleet_kit.ids import uuid7


class PurchaseState(StrEnum):
    """How far a purchase got.

    REQUESTED: intended; the carrier was not asked yet. SENT: the carrier is being asked. UNKNOWN: its answer
    was lost, so it is looked for. ORDERED: the carrier has an order. BOOKED: it is there. FAILED: it
    costs nothing.
    """

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
"""What counts against budgets: what may yet cost money does."""

NOT_FOUND = "CARRIER_ORDER_NOT_FOUND"
NEVER_SENT = "NEVER_SENT"
BY_HAND = "SETTLED_BY_HAND"
UNSETTLED_ROWS = text("state IN ('requested', 'sent', 'unknown')")
PENDING_ROWS = text("state IN ('requested', 'sent', 'unknown', 'ordered')")

ABANDONED = timedelta(seconds=300)
"""A purchase whose process died before it asked the carrier is given up after this."""
IN_FLIGHT = timedelta(seconds=180)
"""No call to a carrier takes longer than this; what is still SENT then was lost."""
_FIRST_LOOK = timedelta(seconds=2)
_MOST_LOOKS = 12
"""Counted further, looks would be no rarer."""
_LONGEST_UNKNOWN, _LONGEST_ORDERED = timedelta(seconds=60), timedelta(hours=1)


class Attempt:
    """The columns and the transitions of a purchase.

    A transition returns whether it was right for the state, so that what comes late or twice changes nothing.
    `reason`: a code, for FAILED and UNKNOWN. `next_look_at`: when the resolver turns to it.
    """

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=uuid7)
    state: Mapped[str] = mapped_column(String(20), default=PurchaseState.REQUESTED)
    order_number: Mapped[str | None] = mapped_column(String(40))
    reason: Mapped[str | None] = mapped_column(Text)
    looks: Mapped[int] = mapped_column(SmallInteger, default=0)
    next_look_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, server_default=func.now())
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ordered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    settled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    def sent(self) -> bool:
        """The carrier is asked now; False if the purchase was given up meanwhile."""
        if self.state != PurchaseState.REQUESTED:
            return False
        now = datetime.now(UTC)
        self.state, self.sent_at, self.next_look_at = PurchaseState.SENT, now, now + IN_FLIGHT
        return True

    def unsent(self) -> bool:
        """The carrier has refused an order for many SIMs as a whole, so each may still be asked for."""
        if self.state != PurchaseState.SENT:
            return False
        self.state, self.sent_at = PurchaseState.REQUESTED, None
        return self.waits()

    def waits(self) -> bool:
        """A living process comes to it, but is busy with others still."""
        if self.state != PurchaseState.REQUESTED:
            return False
        self.next_look_at = datetime.now(UTC) + ABANDONED
        return True

    def unclear(self, reason: str) -> bool:
        """The carrier's answer was lost."""
        if self.state != PurchaseState.SENT:
            return False
        self.state, self.reason = PurchaseState.UNKNOWN, reason
        self.look_soon()
        return True

    def ordered(self, number: str) -> bool:
        """The carrier has this order for it; also after it was given up for want of one."""
        lost = self.state == PurchaseState.FAILED and self.reason == NOT_FOUND
        if self.state not in {PurchaseState.SENT, PurchaseState.UNKNOWN} and not lost:
            return False
        self.state, self.reason, self.settled_at = PurchaseState.ORDERED, None, None
        self.order_number, self.ordered_at = number or None, datetime.now(UTC)
        self.look_soon()
        return True

    def booked(self) -> bool:
        """What was bought is there."""
        if self.state not in {PurchaseState.SENT, PurchaseState.UNKNOWN, PurchaseState.ORDERED}:
            return False
        self.state, self.reason, self.settled_at = PurchaseState.BOOKED, None, datetime.now(UTC)
        self.ordered_at = self.ordered_at or self.settled_at
        return True

    def failed(self, reason: str) -> bool:
        """It costs nothing, for the reason with this code."""
        if self.state not in PENDING:
            return False
        self.state, self.reason, self.settled_at = PurchaseState.FAILED, reason, datetime.now(UTC)
        return True

    def look_later(self) -> None:
        """Plan the next look, each later than the one before."""
        longest = _LONGEST_ORDERED if self.state == PurchaseState.ORDERED else _LONGEST_UNKNOWN
        self.looks = min(self.looks + 1, _MOST_LOOKS)
        self.next_look_at = datetime.now(UTC) + min(longest, _FIRST_LOOK * 2**self.looks)

    def look_soon(self) -> None:
        """Plan the looks anew: there may be something to see."""
        self.looks, self.next_look_at = 0, datetime.now(UTC) + _FIRST_LOOK

    def overdue(self, patience: timedelta) -> bool:
        """Whether it was sent so long ago."""
        return datetime.now(UTC) - (self.sent_at or self.created_at) >= patience
