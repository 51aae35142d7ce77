"""An order, which is also a line in the ledger of money."""

from dataclasses import dataclass, field
from typing import Literal

CREATED, IN_PROGRESS, COMPLETED, CANCELLED = "CREATED", "IN_PROGRESS", "COMPLETED", "CANCELLED"
OrderType = Literal["FIRST_ORDER", "ADDITIONAL_ORDER", "TOPUP", "BULK_TOPUP", "TARIFF_CHANGE"]
Effect = Literal["topup", "extension", "sims"]
PAYMENT_METHODS = ("banktransfer", "creditcard", "monthlyinvoice", "boleto")
VAT_PERCENT = 19


@dataclass(slots=True)
class Order:
    """One order; `effect` is what its payment brings, `automatic` if auto top-up placed it."""

    number: int
    type: OrderType
    effect: Effect
    placed_at: float
    net_cents: int
    payment_method: str
    iccids: list[str] = field(default_factory=list)
    products: dict[int, int] = field(default_factory=dict)
    status: str = CREATED
    paid_at: float | None = None
    automatic: bool = False
    reference: str = ""
    address: dict[str, str] | None = None

    @property
    def gross_cents(self) -> int:
        """The amount on the invoice."""
        return self.net_cents * (100 + VAT_PERCENT) // 100


@dataclass(slots=True)
class Orders:
    """All orders by number, and the SIMs whose auto top-up is watched."""

    by_number: dict[int, Order] = field(default_factory=dict)
    next_number: int = 2_000_000_001
    watched: dict[str, bool] = field(default_factory=dict)
    checking: bool = False
