"""The tables `orders` and `order_items`, copied from the carrier, and `order_requests`, made here."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String, Text, Uuid, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from fleet_kit.database import UtcDateTime
from sim_service.billing.amounts import Amount
from sim_service.billing.purchases.models import ORDERED_ROWS, UNSETTLED_ROWS, Purchase
from sim_service.carrier.models import CarrierOrder, OrderState
from sim_service.platform.database import Base

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
    """SIMs to buy. `lines`: products as text, all that the carrier shows of a lost one: one may be open."""

    __tablename__ = "order_requests"

    products: Mapped[list[dict[str, int]]] = mapped_column(JSONB)
    lines: Mapped[str] = mapped_column(Text)
    address: Mapped[dict[str, str] | None] = mapped_column(JSONB(none_as_null=True))
    customer_reference: Mapped[str] = mapped_column(String(255))
    requested_by: Mapped[UUID] = mapped_column(Uuid)

    __table_args__ = (
        Index("uq_order_requests_unsettled", "lines", unique=True, postgresql_where=UNSETTLED_ROWS),
        Index("uq_order_requests_order", "order_number", unique=True, postgresql_where=ORDERED_ROWS),
        Index("ix_order_requests_owner_id", "organization_id", "id"),
        Index("ix_order_requests_due", "next_look_at", postgresql_where=UNSETTLED_ROWS),
    )


def lines_of(products: list[tuple[int, int]]) -> str:
    """Products and quantities in one order, such as `1001x5,1002x1`."""
    return ",".join(f"{product}x{count}" for product, count in sorted(products))
