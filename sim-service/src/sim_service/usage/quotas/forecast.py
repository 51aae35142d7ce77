"""The day on which a quota will be used up, with a band, from what was used day by day.

The basis are the last BASIS_DAYS complete UTC days of which usage is known (days before the SIM's first use
are left out, down to a week). From two weeks on each weekday has its own mean, below that all share one.
The expected day is where the sum of these means reaches what is left. The band comes from two sources that
add up: what single days differ from their mean (grows with the square root of the days ahead), and what the
mean itself may be off (grows with the days ahead). Outliers are not cut away, since a device that sends once
a week consists of them; they widen the band instead. The band holds CONFIDENCE of all outcomes as long as the
SIM goes on as it did.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from math import sqrt

CONFIDENCE = 0.8
BASIS_DAYS = 28
FEWEST_DAYS = 3
HORIZON_DAYS = 3650
"""No forecast goes beyond ten years."""

_TWO_WEEKS = 14
_QUANTILE = 1.2816
"""Of the normal distribution: a tenth lies beyond it on either side."""


@dataclass(frozen=True, slots=True)
class WeekdayUse:
    """One weekday within the basis: how often it occurs, its sum of use, and its sum of squares."""

    days: int = 0
    total: float = 0.0
    squares: float = 0.0


History = Sequence[WeekdayUse]
"""Seven of them, Monday first."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """When the quota is used up: expected, and the ends of the band; None: not within HORIZON_DAYS.

    `per_day`: mean use in the quota's unit; None where `basis_days` are too few to say anything.
    """

    exhausted_on: date | None
    earliest: date | None
    latest: date | None
    per_day: float | None
    basis_days: int


def forecast(remaining: float, as_of: datetime, history: History) -> Forecast:
    """The forecast of a quota of which `remaining` was left at `as_of`."""
    days = sum(one.days for one in history)
    today = as_of.astimezone(UTC).date()
    per_day = sum(one.total for one in history) / days if days >= FEWEST_DAYS else None
    if remaining <= 0:
        return Forecast(today, today, today, per_day, days)
    if per_day is None:
        return Forecast(None, None, None, None, days)
    path = _Path(as_of, history)
    return Forecast(
        exhausted_on=path.reaches(remaining, 0.0),
        earliest=path.reaches(remaining, 1.0),
        latest=path.reaches(remaining, -1.0),
        per_day=per_day,
        basis_days=days,
    )


class _Path:
    """Expected use from a moment on, and how far the truth may be from it."""

    def __init__(self, as_of: datetime, history: History) -> None:
        moment = as_of.astimezone(UTC)
        self._start = moment.date()
        self._rest = 1 - (moment - datetime.combine(self._start, moment.min.time(), UTC)) / timedelta(days=1)
        self._days = sum(one.days for one in history)
        groups = list(history) if self._days >= _TWO_WEEKS else [_sum(history)] * 7
        self._means = [one.total / one.days if one.days else 0.0 for one in groups]
        freedom = max(1, self._days - (7 if self._days >= _TWO_WEEKS else 1))
        explained = sum(mean * one.total for mean, one in zip(self._means, history, strict=True))
        squares = sum(one.squares for one in history)
        self._spread = sqrt(max(0.0, squares - explained) / freedom) * (1 + 0.95 / freedom)

    def reaches(self, volume: float, side: float) -> date | None:
        """The first day by whose end `volume` is used; `side` 1: at the band's early end, -1: at its late."""
        if self._used(HORIZON_DAYS, side) < volume:
            return None
        low, high = 0, HORIZON_DAYS
        while low < high:
            middle = (low + high) // 2
            if self._used(middle, side) >= volume:
                high = middle
            else:
                low = middle + 1
        return self._start + timedelta(days=low)

    def _used(self, days: int, side: float) -> float:
        """Use until the end of the day that is so many days ahead."""
        weekday = self._start.weekday()
        weeks, rest = divmod(days, 7)
        expected = self._rest * self._means[weekday] + weeks * sum(self._means)
        expected += sum(self._means[(weekday + ahead) % 7] for ahead in range(1, rest + 1))
        span = self._rest + days
        return expected + side * _QUANTILE * self._spread * sqrt(span + span * span / self._days)


def _sum(history: History) -> WeekdayUse:
    return WeekdayUse(
        sum(one.days for one in history),
        sum(one.total for one in history),
        sum(one.squares for one in history),
    )
