from collections.abc import Sequence
from datetime import date

from fleet_kit.schemas import ResponseModel
from sim_service.carrier.freshness import Freshness, Known, freshness
from sim_service.usage.device_usage.service import DayCompared
from sim_service.usage.sim_usage.ranges import Span
from sim_service.usage.sim_usage.schemas import First, Last


class ComparedOut(ResponseModel):
    """Bytes by either side; null: it told nothing. `difference_bytes`: the carrier's less the device's.

    The carrier counts what goes over the air, headers and repetitions included, so it should be the larger.
    """

    carrier_bytes: int | None
    device_bytes: int | None
    difference_bytes: int | None


class DayComparedOut(ComparedOut):
    """One UTC day."""

    day: date


class ComparisonOut(Freshness):
    """A range, oldest day first. `total`: of the days of which both sides told."""

    iccid: str
    first: First
    last: Last
    total: ComparedOut
    items: list[DayComparedOut]

    @classmethod
    def of(cls, iccid: str, span: Span, known: Known[list[DayCompared]]) -> "ComparisonOut":
        return cls(
            iccid=iccid,
            first=span.first,
            last=span.last,
            total=_total(known.value),
            items=[DayComparedOut.model_validate(day) for day in known.value],
            **freshness(known),
        )


def _total(days: Sequence[DayCompared]) -> ComparedOut:
    both = [day for day in days if day.difference_bytes is not None]
    sums = {name: sum(getattr(day, name) for day in both) for name in ComparedOut.model_fields}
    return ComparedOut.model_validate(sums if both else dict.fromkeys(ComparedOut.model_fields))
