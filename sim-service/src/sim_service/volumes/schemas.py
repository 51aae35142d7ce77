"""HTTP shapes of comparisons."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated

from pydantic import Field

from fleet_kit.schemas import ResponseModel
from sim_service.freshness import Freshness, Known, freshness
from sim_service.usage.ranges import Span
from sim_service.volumes.service import DayCompared


class ComparedOut(ResponseModel):
    """Bytes by either side; null: it told nothing. `difference_bytes`: the carrier's less the device's.

    The carrier counts what goes over the air, headers and repetitions included, so it should be the larger.
    """

    carrier_bytes: int | None
    device_bytes: int | None
    difference_bytes: int | None

    @classmethod
    def between(cls, carrier: int | None, device: int | None) -> "ComparedOut":
        """Both with their difference."""
        return cls(carrier_bytes=carrier, device_bytes=device, difference_bytes=_less(carrier, device))


class DayComparedOut(ComparedOut):
    """One UTC day."""

    day: date


class ComparisonOut(Freshness):
    """A range, oldest day first. `total`: of the days of which both sides told."""

    iccid: str
    first: Annotated[date, Field(serialization_alias="from")]
    last: Annotated[date, Field(serialization_alias="to")]
    total: ComparedOut
    items: list[DayComparedOut]

    @classmethod
    def of(cls, iccid: str, span: Span, known: Known[list[DayCompared]]) -> "ComparisonOut":
        """The comparison with the age of the carrier's side."""
        return cls(
            iccid=iccid,
            first=span.first,
            last=span.last,
            total=_total(known.value),
            items=[
                DayComparedOut(
                    day=one.day,
                    carrier_bytes=one.carrier_bytes,
                    device_bytes=one.device_bytes,
                    difference_bytes=_less(one.carrier_bytes, one.device_bytes),
                )
                for one in known.value
            ],
            **freshness(known),
        )


def _total(days: Sequence[DayCompared]) -> ComparedOut:
    both = [
        (one.carrier_bytes, one.device_bytes)
        for one in days
        if one.carrier_bytes is not None and one.device_bytes is not None
    ]
    if not both:
        return ComparedOut.between(None, None)
    return ComparedOut.between(sum(carrier for carrier, _ in both), sum(device for _, device in both))


def _less(carrier: int | None, device: int | None) -> int | None:
    return None if carrier is None or device is None else carrier - device
