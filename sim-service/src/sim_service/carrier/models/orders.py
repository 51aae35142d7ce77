"""Orders, products and top-ups at the carrier."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum


class PaymentMethod(StrEnum):
    """How the carrier is paid."""

    BANK_TRANSFER = "bank_transfer"
    CREDIT_CARD = "credit_card"
    MONTHLY_INVOICE = "monthly_invoice"
    BOLETO = "boleto"


class OrderState(StrEnum):
    """Where an order is; COMPLETED and CANCELLED are final."""

    CREATED = "created"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


class OrderKind(StrEnum):
    """What was ordered."""

    FIRST_ORDER = "first_order"
    ADDITIONAL_ORDER = "additional_order"
    TOPUP = "topup"
    BULK_TOPUP = "bulk_topup"
    TARIFF_CHANGE = "tariff_change"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class CarrierOrder:
    """An order. `amount` in `currency`, taxes included; `iccids` are those it touches."""

    number: str
    kind: OrderKind
    state: OrderState
    placed_at: datetime | None = None
    amount: Decimal | None = None
    currency: str | None = None
    invoice_number: str | None = None
    iccids: tuple[str, ...] = ()
    products: tuple[tuple[int, int], ...] = ()
    shipping_address: dict[str, object] | None = None


@dataclass(frozen=True, slots=True)
class OrderPage:
    orders: list[CarrierOrder]
    total: int | None = None


@dataclass(frozen=True, slots=True)
class OrderToPlace:
    """SIMs to buy: product ids with their quantities, and where to send them."""

    products: tuple[tuple[int, int], ...]
    address: dict[str, str] | None = None
    reference: str = ""


@dataclass(frozen=True, slots=True)
class CarrierProduct:
    """Something that can be ordered; prices are net, once."""

    id: int
    name: str
    material: str | None = None
    package_size: int | None = None
    smallest_quantity: int | None = None
    largest_quantity: int | None = None
    price: Decimal | None = None
    currency: str | None = None
    months: int | None = None
    charges: tuple[dict[str, object], ...] = ()
