"""Rules of reading readings back, and of forgetting them."""

import asyncio
import time
from collections.abc import Sequence
from datetime import timedelta

from fleet_kit.pagination import encode_cursor
from fleet_kit.scope import Scope
from monitoring_service.facts.service import Facts
from monitoring_service.readings.buckets import Aggregate, combine, pipelines
from monitoring_service.readings.repository import Range, ReadingRepository
from monitoring_service.readings.schemas import DataQuery
from monitoring_service.store.client import Document, Store
from monitoring_service.store.counts import HOUR

Answer = tuple[list[Document], str | None]
_AHEAD_SEQ = 15 * 60 * 1_000_000


class ReadingQueries:
    """Readings as one scope sees them."""

    def __init__(self, store: Store, scope: Scope, retention: timedelta) -> None:
        self._readings, self._facts, self._retention = (
            ReadingRepository(store),
            Facts(store, scope),
            retention,
        )

    async def of_device(self, device_id: str, query: DataQuery) -> Answer:
        """One page of a device's readings by time, and the next cursor; raises NotFound."""
        position = query.position(int, str)
        await self._facts.require_device(device_id)
        span = query.span(self._retention)
        if position is not None:
            span = _rest(span, int(position[0]), backwards=query.backwards)
        rows = await self._readings.of_device(
            device_id,
            span,
            metrics=query.metrics,
            backwards=query.backwards,
            limit=query.page_size + 1,
            past=(int(position[0]), str(position[1])) if position else None,
        )
        shown = rows[: query.page_size]
        cursor = None
        if len(rows) > len(shown):
            cursor = encode_cursor([_milliseconds(shown[-1]), shown[-1]["_id"]])
        return [_only(row, query.metrics) for row in shown], cursor

    async def of_scope(self, query: DataQuery) -> Answer:
        """One page of all readings, the last stored first, and the next cursor."""
        position = query.position(int)
        organizations = await self._facts.organizations()
        if not organizations:
            return [], None
        span = query.span(self._retention)
        low = max(0, span.start * 1000 - _AHEAD_SEQ)
        high = int(position[0]) if position else int(time.time() * 1_000_000) + _AHEAD_SEQ
        rows = await self._readings.of_organizations(
            organizations, low, high, span=span, metrics=query.metrics, limit=query.page_size + 1
        )
        shown = rows[: query.page_size]
        cursor = encode_cursor([int(shown[-1]["seq"])]) if len(rows) > len(shown) else None
        return [_only(row, query.metrics) for row in shown], cursor

    async def buckets(self, device_id: str, query: DataQuery, seconds: int, agg: Aggregate) -> Answer:
        """One page of intervals in their order, and the next cursor; raises NotFound."""
        position = query.position(int)
        await self._facts.require_device(device_id)
        span = query.span(self._retention)
        if position is not None:
            span = Range(max(span.start, int(position[0])), span.end)
        counts, figures = await asyncio.gather(
            *(
                self._readings.aggregate(one)
                for one in pipelines(device_id, span, seconds, agg, query.metrics)
            )
        )
        rows = combine(counts, figures, query.metrics)
        shown = rows[: query.page_size]
        cursor = encode_cursor([_milliseconds(rows[len(shown)])]) if len(rows) > len(shown) else None
        return shown, cursor


class Retention:
    """The worker's job: forget readings that are too old, hour by hour."""

    def __init__(self, store: Store, retention: timedelta) -> None:
        self._store, self._readings, self._retention = store, ReadingRepository(store), retention

    async def sweep(self) -> int:
        """Delete what was stored before the retention time; how many readings that were."""
        oldest = int((time.time() - self._retention.total_seconds()) // 3600)
        deleted = 0
        async for hour in self._store.hourly.find({"hour": {"$lt": oldest}}):
            low = int(hour["hour"]) * HOUR
            deleted += await self._readings.delete_span(hour["organization_id"], low, low + HOUR)
            await self._store.hourly.delete_one({"_id": hour["_id"]})
        return deleted


def _milliseconds(row: Document) -> int:
    return round(float(row["ts"].timestamp()) * 1000)


def _rest(span: Range, milliseconds: int, *, backwards: bool) -> Range:
    """What is left of the span after a reading of that time, which is still included."""
    if backwards:
        return Range(span.start, max(span.start, min(span.end, milliseconds + 1)))
    return Range(min(span.end, max(span.start, milliseconds)), span.end)


def _only(row: Document, metrics: Sequence[str]) -> Document:
    if not metrics:
        return row
    return row | {"metrics": {name: row["metrics"][name] for name in metrics if name in row["metrics"]}}
