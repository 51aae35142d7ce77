"""Ranges of time in requests: UTC days with both ends included, checked against what is kept."""

from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Annotated

from fastapi import Depends, Query

from fleet_kit.errors import invalid
from sim_service.platform.dependencies import AppSettings
from sim_service.settings import Settings

LONGEST_DAYS = 366
LONGEST_DAYS_BY_HOUR = 31
_DEFAULT_DAYS = 30
_DEFAULT_DAYS_BY_HOUR = 2


class Interval(StrEnum):
    """What one row covers."""

    HOUR = "hour"
    DAY = "day"


class Span:
    """Whole UTC days from `first` to `last`, both included."""

    def __init__(self, first: date, last: date) -> None:
        self.first, self.last = first, last

    @property
    def start(self) -> datetime:
        return datetime(self.first.year, self.first.month, self.first.day, tzinfo=UTC)

    @property
    def end(self) -> datetime:
        return datetime(self.last.year, self.last.month, self.last.day, tzinfo=UTC) + timedelta(days=1)


From = Annotated[date | None, Query(alias="from")]
To = Annotated[date | None, Query(alias="to")]


class _Range:
    """The query parameters `from`, `to` and `interval`."""

    def __init__(self, interval: Interval, span: Span) -> None:
        self.interval, self.span = interval, span


async def _range(
    settings: AppSettings, first: From = None, last: To = None, interval: Interval = Interval.DAY
) -> _Range:
    return _Range(interval, checked_by(interval, first, last, settings))


async def _days(settings: AppSettings, first: From = None, last: To = None) -> Span:
    return checked(first, last, kept=settings.usage_days_kept)


Range = Annotated[_Range, Depends(_range)]
"""A range of time in a query, by day or hour; default the last 30 days, or 2 by hour."""
DayRange = Annotated[Span, Depends(_days)]
"""A range of days in a query; default the last 30."""


def checked_by(interval: Interval, first: date | None, last: date | None, settings: Settings) -> Span:
    """The range by day or hour, with the limits of either; see `checked`."""
    if interval is Interval.DAY:
        return checked(first, last, kept=settings.usage_days_kept)
    return checked(
        first,
        last,
        kept=settings.usage_hours_kept,
        longest=LONGEST_DAYS_BY_HOUR,
        default=_DEFAULT_DAYS_BY_HOUR,
    )


def checked(
    first: date | None,
    last: date | None,
    *,
    kept: int,
    longest: int = LONGEST_DAYS,
    default: int = _DEFAULT_DAYS,
) -> Span:
    """The range with its defaults, up to today; raises 422 naming the end that is wrong.

    `kept`: days back from today.
    """
    today = datetime.now(UTC).date()
    oldest, too_far = today - timedelta(days=kept), f"is further back than the {kept} days that are kept"
    if first is not None and first > today:
        raise invalid("from", "is in the future")
    last = min(last or today, today)
    if first is not None and first > last:
        raise invalid("from", "is after `to`")
    if first is not None and first < oldest:
        raise invalid("from", too_far)
    if last < oldest:
        raise invalid("to", too_far)
    first = first or max(oldest, last - timedelta(days=default - 1))
    if (last - first).days >= longest:
        raise invalid("from", f"the range is longer than {longest} days")
    return Span(first, last)
