"""How old an answer is, and whether the carrier could be asked for a newer one."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Generic, TypeVar

from fleet_kit.errors import FleetError
from fleet_kit.pagination import Page
from fleet_kit.schemas import ResponseModel, Timestamp
from sim_service.carrier.errors import (
    CARRIER_UNAVAILABLE_ERRORS,
    CarrierOperationUnavailable,
    CarrierSimNotFound,
)

T = TypeVar("T")

FALLBACK_ERRORS: tuple[type[FleetError], ...] = (
    *CARRIER_UNAVAILABLE_ERRORS,
    CarrierOperationUnavailable,
    CarrierSimNotFound,
)
"""Failures after which what is known is still the best answer."""


@dataclass(frozen=True, slots=True)
class Known(Generic[T]):
    """Something that came from the carrier at `as_of`; `failure` is why there is nothing newer."""

    value: T
    as_of: datetime
    failure: FleetError | None = None


async def read_through(
    known: Known[T] | None,
    fresh: timedelta,
    refresh: Callable[[], Awaitable[Known[T]]],
    fallback: tuple[type[FleetError], ...] = FALLBACK_ERRORS,
) -> Known[T]:
    """What is known if younger than `fresh`, else the carrier's answer; if it is unavailable, what is known.

    Raises the carrier's error where nothing is known.
    """
    if known is not None and datetime.now(UTC) - known.as_of < fresh:
        return known
    try:
        return await refresh()
    except fallback as failure:
        if known is None:
            raise
        return replace(known, failure=failure)


class Freshness(ResponseModel):
    """`stale`: the carrier could not be asked, for the reason with the code `stale_reason`."""

    as_of: Timestamp
    age_seconds: float
    stale: bool
    stale_reason: str | None


class AgedPage(Page[T], Freshness, Generic[T]):
    """A page of a list that came from the carrier as a whole."""


def age_seconds(moment: datetime) -> float:
    """Seconds since a moment, never negative."""
    return max(0.0, round((datetime.now(UTC) - moment).total_seconds(), 3))


def freshness(known: Known[T]) -> dict[str, object]:
    return {
        "as_of": known.as_of,
        "age_seconds": age_seconds(known.as_of),
        "stale": known.failure is not None,
        "stale_reason": known.failure.code if known.failure else None,
    }


def age_if_fresh(shown: Freshness) -> float | None:
    """The age of an answer, None for one that the carrier could not be asked for."""
    return None if shown.stale else shown.age_seconds
