"""Questions about readings, and their answers."""

import time
from datetime import datetime, timedelta
from typing import Annotated, Literal

from fastapi import Query
from pydantic import BaseModel

from fleet_contracts.telemetry import MAX_AHEAD, METRIC_NAME
from fleet_kit.errors import invalid
from fleet_kit.pagination import decode_cursor
from fleet_kit.schemas import Timestamp
from monitoring_service.readings.models import TimeRange

MAX_PAGE = 1000


class ReadingOut(BaseModel):
    """One stored reading."""

    id: str
    device_id: str
    ts: Timestamp
    received_at: Timestamp
    metrics: dict[str, float | int]
    tags: dict[str, str] | None = None


class BucketOut(BaseModel):
    """One interval: its start, one figure per metric, and how many readings it holds."""

    ts: Timestamp
    metrics: dict[str, float | int]
    count: int


class ReadingPage(BaseModel):
    """Readings; `next_cursor` is null at the end."""

    items: list[ReadingOut]
    next_cursor: str | None
    page_size: int


class BucketPage(BaseModel):
    """Intervals in their order; `next_cursor` is null at the end."""

    items: list[BucketOut]
    next_cursor: str | None
    page_size: int


Metric = Annotated[str, Query(pattern=METRIC_NAME)]


class DataQuery:
    """The query parameters of data: `from` (included), `to` (excluded), `metric`, `page_size`, `cursor`."""

    def __init__(
        self,
        start: Annotated[Timestamp | None, Query(alias="from")] = None,
        end: Annotated[Timestamp | None, Query(alias="to")] = None,
        metric: Annotated[list[Metric] | None, Query(max_length=20)] = None,
        page_size: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 100,
        cursor: Annotated[str | None, Query(max_length=1024)] = None,
        order: Literal["asc", "desc"] = "desc",
    ) -> None:
        if start is not None and end is not None and start >= end:
            raise invalid("from", "must be before `to`")
        self.start, self.end = start, end
        self.metrics = metric or []
        self.page_size, self.cursor, self.backwards = page_size, cursor, order == "desc"

    def span(self, retention: timedelta) -> TimeRange:
        """The range asked for, inside what is kept."""
        now = int(time.time() * 1000)
        oldest = now - int(retention.total_seconds() * 1000)
        newest = now + int(MAX_AHEAD.total_seconds() * 1000)
        start = max(oldest, _milliseconds(self.start)) if self.start else oldest
        end = min(newest, _milliseconds(self.end)) if self.end else newest
        return TimeRange(start, max(start, end))

    def position(self, *kinds: type) -> list[int | str] | None:
        """The cursor's values, each of its type; raises 422 naming `cursor`."""
        if self.cursor is None:
            return None
        values = decode_cursor(self.cursor, len(kinds))
        if any(type(value) is not kind for value, kind in zip(values, kinds, strict=True)):
            raise invalid("cursor", "not a cursor of this list")
        if any(isinstance(value, int) and not 0 <= value < 2**62 for value in values):
            raise invalid("cursor", "not a cursor of this list")
        return values


def _milliseconds(value: datetime) -> int:
    return int(value.timestamp() * 1000)
