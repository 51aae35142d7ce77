"""The tables `orders` and `order_items`, copied from the carrier, and `order_requests`, made here."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, ForeignKey, Index, String, Text, Uuid, false, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from fleet_kit.database import UtcDateTime
from fleet_kit.errors import Conflict
from sim_service.billing.purchases.models import (
    FAILED_ROWS,
    FAILED_UNORDERED_ROWS,
    ORDER_CANCELLED,
    ORDERED_ROWS,
    UNSETTLED_ROWS,
    Purchase,
    PurchaseState,
)
from sim_service.carrier.models import CarrierOrder, OrderState, OrderToPlace
from sim_service.platform.amounts import Amount
from sim_service.platform.database import Base

REJECTED, EXPIRED = "APPROVAL_REJECTED", "APPROVAL_EXPIRED"
QUEUED_LASTS = timedelta(days=1)
"""What the carrier could not be asked for by then fails as never sent, like what a dead process left."""
APPROVAL_LASTS = timedelta(days=7)
"""What nobody has decided by then holds its buyer's money no longer; like the proposals of policies."""
AWAITING_ROWS = text("state = 'awaiting_approval'")
QUEUED_ROWS = text("queued AND state = 'requested'")
ASKED_ROWS = text("state IN ('requested', 'sent', 'unknown') AND NOT queued")
FINAL = (OrderState.COMPLETED, OrderState.CANCELLED)
_FACTS = ("kind", "state", "placed_at", "amount", "currency", "invoice_number")


class Order(Base):
    """An order of the carrier's account. `organization_id`: who placed it here; None: nobody did.

    `amount` is gross. `placed_at`: by the carrier, or when it was first seen where the carrier says none.
    """

    __tablename__ = "orders"

    number: Mapped[str] = mapped_column(String(40), primary_key=True)
    carrier: Mapped[str] = mapped_column(String(20))
    organization_id: Mapped[UUID | None] = mapped_column(Uuid)
    kind: Mapped[str] = mapped_column(String(20))
    state: Mapped[str] = mapped_column(String(20))
    placed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    amount: Mapped[Decimal | None] = mapped_column(Amount)
    currency: Mapped[str | None] = mapped_column(String(3))
    invoice_number: Mapped[str | None] = mapped_column(String(40))
    products: Mapped[list[dict[str, int]]] = mapped_column(JSONB)
    shipping_address: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    synced_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, server_default=func.now())

    __table_args__ = (
        Index("ix_orders_placed", "placed_at", "number"),
        Index("ix_orders_owner_placed", "organization_id", "placed_at", "number"),
        Index("ix_orders_open", "number", postgresql_where=text("state NOT IN ('completed', 'cancelled')")),
    )

    def update_from_carrier(self, facts: CarrierOrder) -> None:
        now = datetime.now(UTC)
        placed_at = self.placed_at or now
        for name in _FACTS:
            setattr(self, name, getattr(facts, name))
        self.placed_at = facts.placed_at or placed_at
        self.products = [{"product_id": product, "quantity": count} for product, count in facts.products]
        self.shipping_address, self.synced_at = facts.shipping_address, now


class OrderItem(Base):
    """A SIM that an order touches, and who owned it when that was first seen by somebody who did."""

    __tablename__ = "order_items"

    order_number: Mapped[str] = mapped_column(
        ForeignKey("orders.number", ondelete="CASCADE"), primary_key=True
    )
    iccid: Mapped[str] = mapped_column(String(19), primary_key=True)
    organization_id: Mapped[UUID | None] = mapped_column(Uuid)

    __table_args__ = (
        Index("ix_order_items_owner", "organization_id", "order_number"),
        Index("ix_order_items_iccid", "iccid"),
        Index("ix_order_items_unowned", "iccid", postgresql_where=text("organization_id IS NULL")),
    )


class OrderRequest(Purchase, Base):
    """SIMs to buy. `lines`: products as text, all that the carrier shows of a lost one: one may be open.

    `queued`: another organisation's equal request is open, and the worker asks for this one after it. Its
    state is REQUESTED, so that nobody learns from it what others buy.

    `amount` is gross, by the catalogue until the carrier's order shows it; None: from before there were
    budgets. `counted_at`: it counts in the budget of that month, in which it was asked for or approved.
    """

    __tablename__ = "order_requests"

    products: Mapped[list[dict[str, int]]] = mapped_column(JSONB)
    lines: Mapped[str] = mapped_column(Text)
    address: Mapped[dict[str, str] | None] = mapped_column(JSONB(none_as_null=True))
    customer_reference: Mapped[str] = mapped_column(String(255))
    requested_by: Mapped[UUID] = mapped_column(Uuid)
    amount: Mapped[Decimal | None] = mapped_column(Amount)
    currency: Mapped[str | None] = mapped_column(String(3))
    counted_at: Mapped[datetime] = mapped_column(UtcDateTime, server_default=func.now())
    decided_by: Mapped[UUID | None] = mapped_column(Uuid)
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    queued: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())

    __table_args__ = (
        Index("uq_order_requests_asked", "lines", unique=True, postgresql_where=ASKED_ROWS),
        Index("ix_order_requests_queued", "lines", "id", postgresql_where=QUEUED_ROWS),
        Index("ix_order_requests_queued_by_owner", "organization_id", "id", postgresql_where=QUEUED_ROWS),
        Index("uq_order_requests_order", "order_number", unique=True, postgresql_where=ORDERED_ROWS),
        Index("ix_order_requests_owner_id", "organization_id", "id"),
        Index("ix_order_requests_owner_counted", "organization_id", "counted_at"),
        Index("ix_order_requests_awaiting", "id", postgresql_where=AWAITING_ROWS),
        Index(
            "ix_order_requests_due_by_owner",
            "organization_id",
            "next_look_at",
            postgresql_where=UNSETTLED_ROWS,
        ),
        Index("ix_order_requests_failed", "settled_at", postgresql_where=FAILED_ROWS),
        Index(
            "ix_order_requests_unordered_by_owner",
            "organization_id",
            "id",
            postgresql_where=FAILED_UNORDERED_ROWS,
        ),
    )

    def to_place(self) -> OrderToPlace:
        lines = tuple((line["product_id"], line["quantity"]) for line in self.products)
        return OrderToPlace(lines, self.address, self.customer_reference)

    def enqueue(self) -> None:
        """Have the worker ask for it after an equal one of another organisation."""
        self.queued, self.next_poll_at = True, datetime.now(UTC) + QUEUED_LASTS

    def dequeue(self) -> None:
        """It is its turn."""
        self.queued = False
        self.postpone_expiry()

    def update_from_order(self, order: CarrierOrder) -> None:
        """Take the real price; an order that the carrier cancelled costs nothing."""
        if order.amount and order.currency:  # zero until it is invoiced
            self.amount, self.currency = order.amount, order.currency
        if order.state == OrderState.CANCELLED:
            self.mark_failed(ORDER_CANCELLED)

    def decide(self, by: UUID, *, approved: bool) -> bool:
        """Approve or reject what waits for it; False if that same decision was made already.

        Raises Conflict ORDER_NOT_AWAITING, also for an approved order that has failed since.
        """
        if self.state != PurchaseState.AWAITING_APPROVAL:
            failed = self.state == PurchaseState.FAILED
            rejected = failed and self.reason == REJECTED
            repeated = not failed if approved else rejected
            if self.decided_at is not None and repeated:
                return False
            raise Conflict(
                "the order has failed; it must be ordered again"
                if failed
                else "the order does not wait for approval",
                code="ORDER_NOT_AWAITING",
                details={"state": self.state, "reason": self.reason},
            )
        now = datetime.now(UTC)
        self.decided_by, self.decided_at = by, now
        if approved:
            self.state = PurchaseState.REQUESTED
            self.postpone_expiry()
        else:
            self._end(REJECTED)
        return True

    def expire(self) -> None:
        """Nobody has decided; for what waits."""
        self._end(EXPIRED)

    def _end(self, reason: str) -> None:
        self.state, self.reason, self.settled_at = PurchaseState.FAILED, reason, datetime.now(UTC)


def lines_of(products: list[tuple[int, int]]) -> str:
    """Products and quantities in one order, such as `1001x5,1002x1`."""
    return ",".join(f"{product}x{count}" for product, count in sorted(products))
