"""HTTP shapes of orders."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import ConfigDict, Field, model_validator

from fleet_kit.schemas import LineText, QueryModel, ResponseModel, StrictModel, Timestamp
from fleet_kit.scope import Scope
from sim_service.billing.orders.models import Order, OrderItem
from sim_service.billing.purchases.models import PurchaseState
from sim_service.carrier.freshness import Freshness
from sim_service.carrier.models import OrderKind, OrderState, OrderToPlace
from sim_service.platform.amounts import Money
from sim_service.platform.iccid import Iccid

Words = Annotated[LineText, Field(min_length=1, max_length=255)]
_MOST_LINES = 50


class Line(StrictModel):
    """A product and how many of its packages."""

    product_id: Annotated[int, Field(ge=1, le=2**31 - 1)]
    quantity: Annotated[int, Field(ge=1, le=10_000)]


class Address(StrictModel):
    """Where to send the SIMs."""

    salutation: Literal["1", "2"] | None = None
    first_name: Words | None = None
    last_name: Words | None = None
    company: Words | None = None
    street: Words
    house_number: Words | None = None
    address_line2: Words | None = None
    zip: Words
    city: Words
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$", description="ISO 3166-1 alpha-2")]
    phone: Words | None = None


class OrderIn(StrictModel):
    """SIMs to buy; without an address they go to the account's own."""

    products: Annotated[list[Line], Field(min_length=1, max_length=_MOST_LINES)]
    address: Address | None = None
    customer_reference: Annotated[LineText, Field(max_length=255)] = ""

    @model_validator(mode="after")
    def _each_once(self) -> "OrderIn":
        if len({line.product_id for line in self.products}) != len(self.products):
            raise ValueError("a product is named twice")
        return self

    def to_place(self) -> OrderToPlace:
        return OrderToPlace(
            tuple((line.product_id, line.quantity) for line in self.products),
            self.address.model_dump(exclude_none=True) if self.address else None,
            self.customer_reference,
        )


class OrderRequestOut(ResponseModel):
    """What was asked for; `ordered` with the order's number, or `failed` with the reason's code.

    `unknown`: the carrier's answer was lost, and its orders are looked at until that is settled.
    `awaiting_approval`: the platform administrator decides first. `amount` is gross, by the catalogue until
    the carrier's order shows it.
    """

    id: UUID
    organization_id: UUID
    state: PurchaseState
    reason: str | None
    order_number: str | None
    products: list[dict[str, int]]
    customer_reference: str
    amount: Money | None
    currency: str | None
    requested_by: UUID
    decided_by: UUID | None
    created_at: Timestamp
    decided_at: Timestamp | None
    sent_at: Timestamp | None


class OrderOut(ResponseModel):
    """An order. Of one that touches SIMs of several owners each sees its own and their share of `amount`.

    `synced_at`: when the carrier was last asked for it.
    """

    order_number: str
    kind: OrderKind
    state: OrderState
    placed_at: Timestamp
    amount: Money | None
    currency: str | None
    invoice_number: str | None
    placed_here: bool
    iccids: list[str]
    products: list[dict[str, int]]
    shipping_address: dict[str, Any] | None
    synced_at: Timestamp

    @classmethod
    def of(cls, order: Order, items: Sequence[OrderItem], scope: Scope) -> "OrderOut":
        mine = order.organization_id is not None and scope.covers(order.organization_id)
        whole = mine or scope.organization_id is None
        shown = [item for item in items if whole or item.organization_id == scope.organization_id]
        complete = whole or len(shown) == len(items)
        share = Decimal(1) if complete else Decimal(len(shown)) / len(items)
        same = ("kind", "state", "placed_at", "currency", "synced_at")
        return cls(
            **{name: getattr(order, name) for name in same},
            order_number=order.number,
            amount=None if order.amount is None else order.amount * share,
            invoice_number=order.invoice_number if complete else None,
            placed_here=order.organization_id is not None,
            iccids=[item.iccid for item in shown],
            products=order.products if complete else [],
            shipping_address=order.shipping_address if whole else None,
        )


class AgedOrderOut(OrderOut, Freshness):
    """One order with its age."""


class OrderQuery(QueryModel):
    """The list's filters."""

    model_config = ConfigDict(extra="ignore")

    kind: OrderKind | None = None
    state: OrderState | None = None
    iccid: Iccid | None = None
