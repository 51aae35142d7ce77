"""HTTP shapes of purchases."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query
from pydantic import ConfigDict, Field

from fleet_kit.errors import invalid
from fleet_kit.schemas import QueryModel, ResponseModel, StrictModel, Text, Timestamp
from sim_service.billing.purchases.models import PurchaseState
from sim_service.billing.purchases.queries import month_start
from sim_service.billing.topups.models import PurchaseKind
from sim_service.carrier.models import PaymentMethod
from sim_service.platform.amounts import Money

_MOST_MONTHS = 60


class TopUpIn(StrictModel):
    """How to pay; `even_if_ordered`: also while an earlier order for the SIM waits for its payment."""

    payment_method: PaymentMethod | None = None
    even_if_ordered: bool = False


class ExtensionIn(StrictModel):
    """Another product to go on with; without one the SIM keeps its own."""

    product_id: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None


class SettleIn(StrictModel):
    """What became of a purchase by the carrier's own word."""

    state: Literal["booked", "failed"]


class TopUpOut(ResponseModel):
    """A purchase for one SIM. `amount` is gross, and expected while `estimated`.

    `state`: requested, sent, unknown (its answer was lost and is looked for), ordered, booked (the volume is
    there), failed (costs nothing, for `reason`).
    """

    id: UUID
    iccid: str
    organization_id: UUID
    kind: PurchaseKind
    state: PurchaseState
    reason: str | None
    order_number: str | None
    payment_method: PaymentMethod
    amount: Money
    currency: str
    estimated: bool
    requested_by: UUID | None
    policy_id: UUID | None
    created_at: Timestamp
    sent_at: Timestamp | None
    ordered_at: Timestamp | None
    settled_at: Timestamp | None


class SimTopUpQuery(QueryModel):
    """Filters of one SIM's ledger."""

    model_config = ConfigDict(extra="ignore")

    state: PurchaseState | None = None
    kind: PurchaseKind | None = None


class TopUpQuery(SimTopUpQuery):
    """Filters of the ledger."""

    policy_id: UUID | None = None
    order_number: Annotated[Text | None, Query(max_length=40)] = None


class MonthOut(ResponseModel):
    """Purchases made in one UTC month, in one state and currency."""

    month: str
    state: PurchaseState
    currency: str
    count: int
    amount: Money

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "MonthOut":
        return cls(**{**row, "month": f"{row['month']:%Y-%m}"})


class MonthsOut(ResponseModel):
    """The ledger's sums, newest month first."""

    items: list[MonthOut]


Months = tuple[datetime, datetime]
"""Moments from which and before which purchases count."""


async def months(
    first: Annotated[str | None, Query(alias="from", pattern=r"^20\d{2}-\d{2}$")] = None,
    last: Annotated[str | None, Query(alias="to", pattern=r"^20\d{2}-\d{2}$")] = None,
) -> Months:
    """The query parameters `from` and `to`: months, both included; default the last twelve."""
    end = _month("to", last) if last else month_start(datetime.now(UTC))
    start = _month("from", first) if first else _shifted(end, -11)
    if start > end:
        raise invalid("from", "is after `to`")
    if _shifted(start, _MOST_MONTHS) <= end:
        raise invalid("from", f"the range is longer than {_MOST_MONTHS} months")
    return start, _shifted(end, 1)


def _month(field: str, value: str) -> datetime:
    try:
        return datetime.fromisoformat(f"{value}-01T00:00Z")
    except ValueError:
        raise invalid(field, "is no month, such as 2026-11") from None


def _shifted(month: datetime, by: int) -> datetime:
    years, index = divmod(month.year * 12 + month.month - 1 + by, 12)
    return month.replace(year=years, month=index + 1)
