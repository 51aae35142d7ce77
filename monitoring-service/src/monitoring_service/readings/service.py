"""Queries of readings, with their cursors."""

import time
from collections.abc import Sequence
from datetime import timedelta

from fleet_kit.pagination import encode_cursor
from fleet_kit.scope import Scope
from monitoring_service.directory.service import DirectoryService
from monitoring_service.latest.service import LatestQueries
from monitoring_service.readings.buckets import Aggregate, Buckets, pipeline
from monitoring_service.readings.models import TimeRange
from monitoring_service.readings.repository import BUDGET, PAGE, ReadingRepository
from monitoring_service.readings.schemas import DataQuery
from monitoring_service.store.client import Document, Store
from monitoring_service.store.windows import Windows

Answer = tuple[list[Document], str | None]
_AHEAD_SEQ = 15 * 60 * 1_000_000
_LAST_ID = "~"
"""After every `_id`, which begins with the digits of a device id."""
_FIRST_MS, _WIDEST_MS = 10 * 60_000, 6 * 3_600_000


class ReadingQueries:
    """Readings as one scope sees them."""

    def __init__(self, store: Store, scope: Scope, retention: timedelta) -> None:
        self._readings, self._directory = ReadingRepository(store), DirectoryService(store, scope)
        self._latest, self._retention = LatestQueries(store, scope), retention

    async def of_device(self, device_id: str, query: DataQuery) -> Answer:
        """One page of a device's readings by time, and the next cursor; raises NotFound.

        Where a metric is rare a page may be short, even empty, and still have a next one: one request looks
        at a bounded number of readings.
        """
        position = query.position(int, str)
        await self._directory.require_device(device_id)
        span = query.span(self._retention)
        past = None
        if position is not None:
            past = int(position[0]), str(position[1])
            if not span.start - 1 <= past[0] <= span.end:
                return [], None
        found = await self._readings.of_device(
            device_id,
            span,
            metrics=query.metrics,
            backwards=query.backwards,
            limit=query.page_size + 1,
            past=past,
            first_width=await self._first_width(device_id, span, backwards=query.backwards),
        )
        shown = found.rows[: query.page_size]
        cursor = None
        if len(found.rows) > len(shown):
            cursor = encode_cursor([_milliseconds(shown[-1]), shown[-1]["_id"]])
        elif found.rest is not None:
            cursor = encode_cursor([found.rest, ""] if query.backwards else [found.rest - 1, _LAST_ID])
        return [_only(row, query.metrics) for row in shown], cursor

    async def _first_width(self, device_id: str, span: TimeRange, *, backwards: bool) -> int:
        """Wide enough to reach the newest reading at once, however long the device has been silent."""
        newest = await self._latest.newest(device_id) if backwards else None
        if newest is None:
            return _FIRST_MS
        return max(0, span.end - _milliseconds(newest)) + _FIRST_MS

    async def of_scope(self, query: DataQuery) -> Answer:
        """One page of all readings, the last stored first, and the next cursor.

        A page may hold fewer readings than asked for, even none, and still have a next one: one request looks
        at a bounded number of readings.
        """
        position = query.position(int)
        organizations = await self._directory.organizations()
        if not organizations:
            return [], None
        span = query.span(self._retention)
        low = max(0, span.start * 1000 - _AHEAD_SEQ)
        high = int(position[0]) if position else int(time.time() * 1_000_000) + _AHEAD_SEQ
        found = await self._readings.of_organizations(
            organizations, low, high, span=span, metrics=query.metrics, limit=query.page_size + 1
        )
        shown, rest = found.rows[: query.page_size], found.rest
        if len(found.rows) > len(shown):
            rest = int(shown[-1]["seq"])
        return [_only(row, query.metrics) for row in shown], encode_cursor([rest]) if rest else None

    async def buckets(self, device_id: str, query: DataQuery, seconds: int, agg: Aggregate) -> Answer:
        """One page of intervals in their order, and the next cursor; raises NotFound.

        A page ends early, at the end of an interval, once many readings were looked at.
        """
        position, step = query.position(int), seconds * 1000
        await self._directory.require_device(device_id)
        span = query.span(self._retention)
        if position is not None:
            span = TimeRange(max(span.start, int(position[0])), span.end)
        windows = Windows(span.start, span.end, _FIRST_MS, _WIDEST_MS, PAGE)
        buckets, seen, reached = Buckets(agg, query.metrics), 0, span.start
        while (piece := windows.next()) is not None:
            parts = await self._readings.aggregate(pipeline(device_id, *piece, step))
            readings = buckets.add(parts)
            windows.found(readings)
            seen, reached = seen + readings, piece[1]
            whole = buckets.rows(reached // step * step)
            if len(whole) > query.page_size:
                shown = whole[: query.page_size]
                return shown, encode_cursor([_milliseconds(whole[len(shown)])])
            if seen > BUDGET and reached // step * step > span.start:
                return whole, encode_cursor([reached // step * step])
        rows = buckets.rows(span.end)
        shown = rows[: query.page_size]
        more = len(rows) > len(shown)
        return shown, encode_cursor([_milliseconds(rows[len(shown)])]) if more else None


def _milliseconds(row: Document) -> int:
    return round(float(row["ts"].timestamp()) * 1000)


def _only(row: Document, metrics: Sequence[str]) -> Document:
    if not metrics:
        return row
    return row | {"metrics": {name: row["metrics"][name] for name in metrics if name in row["metrics"]}}
