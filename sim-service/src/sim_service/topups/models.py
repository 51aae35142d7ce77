"""The table `top_ups`: the ledger of everything that was bought for a SIM."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, Index, Numeric, SmallInteger, String, Text, Uuid, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from fleet_kit.database import UtcDateTime, uuid7
from sim_service.database import Base

Amount = Numeric(14, 4)
"""Money; four decimals, so that a share of an order for many SIMs is not rounded away."""


class PurchaseKind(StrEnum):
    """Volume for a SIM, or a longer life of it."""

    TOP_UP = "top_up"
    EXTENSION = "extension"


class TopUpState(StrEnum):
    """How far a purchase got.

    REQUESTED: intended; the carrier was not asked yet. SENT: the carrier is being asked. UNKNOWN: its answer
    was lost, so it is looked for. ORDERED: the carrier has an order. BOOKED: the volume is there. FAILED: it
    costs nothing.
    """

    REQUESTED = "requested"
    SENT = "sent"
    UNKNOWN = "unknown"
    ORDERED = "ordered"
    BOOKED = "booked"
    FAILED = "failed"


UNSETTLED = (TopUpState.REQUESTED, TopUpState.SENT, TopUpState.UNKNOWN)
"""Nobody knows yet whether it costs money: at most one such purchase of a SIM."""
PENDING = (*UNSETTLED, TopUpState.ORDERED)
SPENT = (*PENDING, TopUpState.BOOKED)
"""What counts against budgets: what may yet cost money does."""

NOT_FOUND = "CARRIER_ORDER_NOT_FOUND"
NEVER_SENT = "NEVER_SENT"
_UNSETTLED = text("state IN ('requested', 'sent', 'unknown')")
_PENDING = text("state IN ('requested', 'sent', 'unknown', 'ordered')")

ABANDONED = timedelta(seconds=300)
"""A purchase whose process died before it asked the carrier is given up after this."""
IN_FLIGHT = timedelta(seconds=180)
"""No call to a carrier takes longer than this; what is still SENT then was lost."""
_FIRST_LOOK = timedelta(seconds=2)
_LONGEST_UNKNOWN, _LONGEST_ORDERED = timedelta(seconds=60), timedelta(hours=1)


class TopUp(Base):
    """A purchase for one SIM. `amount`: expected while `estimated`, then the SIM's share of the order.

    `reference`: who repeats a request with the same
    one finds the purchase instead of making another. `before`: the data quota as it was known at the intent.
    `reason`: a code, for FAILED and UNKNOWN. `next_look_at`: when the resolver turns to it.
    """

    __tablename__ = "top_ups"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=uuid7)
    organization_id: Mapped[UUID] = mapped_column(Uuid)
    iccid: Mapped[str] = mapped_column(String(19))
    kind: Mapped[str] = mapped_column(String(20))
    state: Mapped[str] = mapped_column(String(20), default=TopUpState.REQUESTED)
    payment_method: Mapped[str] = mapped_column(String(20))
    product_id: Mapped[int | None]
    order_number: Mapped[str | None] = mapped_column(String(40))
    amount: Mapped[Decimal] = mapped_column(Amount)
    currency: Mapped[str] = mapped_column(String(3))
    estimated: Mapped[bool] = mapped_column(Boolean, default=True)
    requested_by: Mapped[UUID | None] = mapped_column(Uuid)
    policy_id: Mapped[UUID | None] = mapped_column(Uuid)
    reference: Mapped[str | None] = mapped_column(String(100))
    reason: Mapped[str | None] = mapped_column(Text)
    before: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    looks: Mapped[int] = mapped_column(SmallInteger, default=0)
    next_look_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, server_default=func.now())
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ordered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    settled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    __table_args__ = (
        Index("uq_top_ups_unsettled_iccid", "iccid", unique=True, postgresql_where=_UNSETTLED),
        Index(
            "uq_top_ups_order_iccid",
            "order_number",
            "iccid",
            unique=True,
            postgresql_where=text("order_number IS NOT NULL"),
        ),
        Index(
            "uq_top_ups_reference_iccid",
            "reference",
            "iccid",
            unique=True,
            postgresql_where=text("reference IS NOT NULL"),
        ),
        Index("ix_top_ups_owner_id", "organization_id", "id"),
        Index("ix_top_ups_owner_created", "organization_id", "created_at"),
        Index("ix_top_ups_iccid_id", "iccid", "id"),
        Index("ix_top_ups_created", "created_at"),
        Index(
            "ix_top_ups_policy_created",
            "policy_id",
            "created_at",
            postgresql_where=text("policy_id IS NOT NULL"),
        ),
        Index("ix_top_ups_due", "next_look_at", postgresql_where=_PENDING),
        Index("ix_top_ups_priced", "kind", "created_at", postgresql_where=text("NOT estimated")),
    )

    def sent(self) -> bool:
        """The carrier is asked now; False if the purchase was given up meanwhile."""
        if self.state != TopUpState.REQUESTED:
            return False
        now = datetime.now(UTC)
        self.state, self.sent_at, self.next_look_at = TopUpState.SENT, now, now + IN_FLIGHT
        return True

    def unsent(self) -> bool:
        """The carrier has refused an order for many SIMs as a whole, so each may still be asked for."""
        if self.state != TopUpState.SENT:
            return False
        self.state, self.sent_at = TopUpState.REQUESTED, None
        self.next_look_at = datetime.now(UTC) + ABANDONED
        return True

    def unclear(self, reason: str) -> bool:
        """The carrier's answer was lost."""
        if self.state != TopUpState.SENT:
            return False
        self.state, self.reason = TopUpState.UNKNOWN, reason
        self._look_from_now()
        return True

    def ordered(self, number: str) -> bool:
        """The carrier has this order for it; also after it was given up for want of one."""
        lost = self.state == TopUpState.FAILED and self.reason == NOT_FOUND
        if self.state not in {TopUpState.SENT, TopUpState.UNKNOWN} and not lost:
            return False
        self.state, self.reason, self.settled_at = TopUpState.ORDERED, None, None
        self.order_number, self.ordered_at = number or None, datetime.now(UTC)
        self._look_from_now()
        return True

    def booked(self) -> bool:
        """The volume is there."""
        if self.state not in {TopUpState.SENT, TopUpState.UNKNOWN, TopUpState.ORDERED}:
            return False
        self.state, self.reason, self.settled_at = TopUpState.BOOKED, None, datetime.now(UTC)
        self.ordered_at = self.ordered_at or self.settled_at
        return True

    def failed(self, reason: str) -> bool:
        """It costs nothing, for the reason with this code."""
        if self.state not in PENDING:
            return False
        self.state, self.reason, self.settled_at = TopUpState.FAILED, reason, datetime.now(UTC)
        return True

    def costs(self, amount: Decimal, currency: str) -> None:
        """Take its real price."""
        self.amount, self.currency, self.estimated = amount, currency, False

    def look_later(self) -> None:
        """Plan the next look, each later than the one before."""
        longest = _LONGEST_ORDERED if self.state == TopUpState.ORDERED else _LONGEST_UNKNOWN
        self.looks += 1
        self.next_look_at = datetime.now(UTC) + min(longest, _FIRST_LOOK * 2 ** min(self.looks, 12))

    def _look_from_now(self) -> None:
        self.looks, self.next_look_at = 0, datetime.now(UTC) + _FIRST_LOOK
