from collections.abc import Iterable
from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from fleet_kit.schemas import ResponseModel, StrictModel, Timestamp
from sim_service.carrier.freshness import Freshness, Known, freshness
from sim_service.usage.sim_usage.cost import CostEstimate, Prices
from sim_service.usage.sim_usage.models import MEASURED, SimUsageHour
from sim_service.usage.sim_usage.ranges import Span
from sim_service.usage.sim_usage.service import DayShown, Usage

First = Annotated[date, Field(alias="from")]
Last = Annotated[date, Field(alias="to")]
"""The API's document has the names of `alias`; it would not have those of `serialization_alias`."""


class Volumes(ResponseModel):
    """Bytes and messages; MO was sent by the SIM, MT to it."""

    data_mo_bytes: int = 0
    data_mt_bytes: int = 0
    data_bytes: int = 0
    sms_mo: int = 0
    sms_mt: int = 0


class UsageDayOut(Volumes):
    """One UTC day. `source`: the carrier's own total of the day, or what its streamer has told so far."""

    day: date
    source: Literal["carrier", "streamer"]

    @classmethod
    def of(cls, shown: DayShown) -> "UsageDayOut":
        return cls(day=shown.usage.day, source=shown.source, **volumes(shown.usage))


class UsageHourOut(Volumes):
    """One hour, by its beginning."""

    hour: Timestamp


class UsageOut(Freshness):
    """Usage of a range: every day that is known, oldest first, and the sum of them."""

    iccid: str
    first: First
    last: Last
    total: Volumes
    cost_estimate: CostEstimate | None
    items: list[UsageDayOut]

    @classmethod
    def of(cls, known: Known[Usage], prices: Prices) -> "UsageOut":
        items = [UsageDayOut.of(day) for day in known.value.days]
        total = summed(items)
        return cls(
            iccid=known.value.iccid,
            first=known.value.first,
            last=known.value.last,
            total=total,
            cost_estimate=estimated(total, prices),
            items=items,
            **freshness(known),
        )


class UsageByHourOut(ResponseModel):
    """The hours of a range in which the streamer told of usage, oldest first, and the sum of them.

    Only the streamer knows hours: `total` may be less than the total of the same range by day.
    """

    iccid: str
    first: First
    last: Last
    total: Volumes
    cost_estimate: CostEstimate | None
    items: list[UsageHourOut]

    @classmethod
    def of(cls, iccid: str, span: Span, hours: Iterable[SimUsageHour], prices: Prices) -> "UsageByHourOut":
        items = [UsageHourOut(hour=row.hour, **volumes(row)) for row in hours]
        total = summed(items)
        return cls(
            iccid=iccid,
            first=span.first,
            last=span.last,
            total=total,
            cost_estimate=estimated(total, prices),
            items=items,
        )


def volumes(row: object) -> dict[str, int]:
    """The fields of Volumes from anything that has the four measured ones."""
    measured = {name: int(getattr(row, name)) for name in MEASURED}
    return measured | {"data_bytes": measured["data_mo_bytes"] + measured["data_mt_bytes"]}


def summed(items: Iterable[Volumes]) -> Volumes:
    total = Volumes()
    for item in items:
        for name in Volumes.model_fields:
            setattr(total, name, getattr(total, name) + getattr(item, name))
    return total


def estimated(total: Volumes, prices: Prices) -> CostEstimate | None:
    return prices.estimate(total.data_bytes, total.sms_mo + total.sms_mt)


class UsageSyncIn(StrictModel):
    """The range to ask the carrier for; default the last 30 days."""

    first: Annotated[date | None, Field(alias="from")] = None
    last: Annotated[date | None, Field(alias="to")] = None
