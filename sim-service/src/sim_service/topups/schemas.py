"""HTTP shapes of purchases."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Query
from pydantic import ConfigDict, Field, PlainSerializer

from fleet_kit.errors import invalid
from fleet_kit.schemas import ResponseModel, StrictModel, Timestamp
from sim_service.carrier.facts import PaymentMethod
from sim_service.topups.models import PurchaseKind, TopUpState
from sim_service.topups.repository import MonthRow, TopUpFilter

Money = Annotated[Decimal, PlainSerializer(lambda value: f"{value:.2f}", return_type=str, when_used="json")]
"""An amount as text with two decimals, so that no reader rounds it."""

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
    state: TopUpState
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


class SimTopUpQuery(StrictModel):
    """Filters of one SIM's ledger."""

    model_config = ConfigDict(extra="ignore")

    state: TopUpState | None = None
    kind: PurchaseKind | None = None

    def filter(self, iccid: str | None = None) -> TopUpFilter:
        """The filter for the repository."""
        return TopUpFilter(**({"iccid": iccid} | self.model_dump(exclude_none=True)))


class TopUpQuery(SimTopUpQuery):
    """Filters of the ledger."""

    policy_id: UUID | None = None
    order_number: Annotated[str | None, Query(max_length=40)] = None


class MonthOut(ResponseModel):
    """Purchases made in one UTC month, in one state and currency."""

    month: str
    state: TopUpState
    currency: str
    count: int
    amount: Money

    @classmethod
    def of(cls, row: MonthRow) -> "MonthOut":
        """The sums of a month."""
        return cls(
            month=f"{row.month:%Y-%m}",
            state=TopUpState(row.state),
            currency=row.currency,
            count=row.number,
            amount=row.amount,
        )


class MonthsOut(ResponseModel):
    """The ledger's sums, newest month first."""

    items: list[MonthOut]


@dataclass(frozen=True, slots=True)
class Months:
    """Moments from which and before which purchases count."""

    since: datetime
    until: datetime


async def months(
    first: Annotated[str | None, Query(alias="from", pattern=r"^20\d{2}-\d{2}$")] = None,
    last: Annotated[str | None, Query(alias="to", pattern=r"^20\d{2}-\d{2}$")] = None,
) -> Months:
    """The query parameters `from` and `to`: months, both included; default the last twelve."""
    end = _month("to", last) if last else datetime.now(UTC).date().replace(day=1)
    start = _month("from", first) if first else _shifted(end, -11)
    if start > end:
        raise invalid("from", "is after `to`")
    if _shifted(start, _MOST_MONTHS) <= end:
        raise invalid("from", f"the range is longer than {_MOST_MONTHS} months")
    return Months(_moment(start), _moment(_shifted(end, 1)))


def _month(field: str, value: str) -> date:
    try:
        return date.fromisoformat(f"{value}-01")
    except ValueError:
        raise invalid(field, "is no month, such as 2026-11") from None


def _shifted(month: date, by: int) -> date:
    years, index = divmod(month.year * 12 + month.month - 1 + by, 12)
    return date(years, index + 1, 1)


def _moment(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
