"""Queries of readings, with their cursors."""

from collections.abc import Sequence
from datetime import timedelta

from fleet_kit.pagination import encode_cursor
from fleet_kit.scope import Scope
from monitoring_service.directory.service import DirectoryService
from monitoring_service.latest.service import LatestQueries
from monitoring_service.readings.buckets import Aggregate, Buckets, fields
from monitoring_service.readings.models import TimeRange, milliseconds
from monitoring_service.readings.query_limits import too_many_figures, too_many_readings
from monitoring_service.readings.repository import TS, ReadingRepository, time_windows
from monitoring_service.readings.schemas import DataQuery
from monitoring_service.store.client import Document, Store
from monitoring_service.store.reads import PIECE, BudgetedReads

Answer = tuple[list[Document], str | None]
_AHEAD_SEQ = 15 * 60 * 1_000_000
"""So much later than it is stored a reading may be measured, by the clock of its device."""


class ReadingQueries:
    """Readings as one scope sees them."""

    def __init__(self, store: Store, scope: Scope, retention: timedelta, reads: BudgetedReads) -> None:
        self._readings, self._directory = (
            ReadingRepository(store, reads),
            DirectoryService(store, scope, reads),
        )
        self._latest, self._retention, self._reads = LatestQueries(store, scope, reads), retention, reads

    async def of_device(self, device_id: str, query: DataQuery) -> Answer:
        """One page of a device's readings by time, and the next cursor; raises NotFound.

        Where a metric is rare a page may be short, even empty, and still have a next one: one request looks
        at a bounded number of readings.
        """
        position = query.position(int, str, int)
        await self._directory.require_device(device_id)
        span = query.span(self._retention)
        since = None
        if position is not None:
            since = int(position[0]), str(position[1]), int(position[2])
        found = await self._readings.of_device(
            device_id,
            span,
            metrics=query.metrics,
            backwards=query.backwards,
            limit=query.page_size + 1,
            since=since,
            lead=await self._lead(device_id, span, backwards=query.backwards),
        )
        shown = found.rows[: query.page_size]
        rest = found.rest
        if len(found.rows) > len(shown):
            rest = TS.position(shown[-1])
        return [_only(row, query.metrics) for row in shown], encode_cursor(list(rest)) if rest else None

    async def _lead(self, device_id: str, span: TimeRange, *, backwards: bool) -> int:
        """Milliseconds of the range in which the device was still, or again, silent.

        Only expected to be empty: a reading that came just now may not be in `latest` yet.
        """
        newest = await self._latest.newest(device_id)
        if newest is None:
            return span.end - span.start
        if backwards:
            return max(0, span.end - milliseconds(newest["ts"]))
        oldest = newest.get("oldest_ts")
        return max(0, min(milliseconds(oldest), span.end) - span.start) if oldest else 0

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
        found = await self._readings.of_organizations(
            organizations,
            low,
            int(position[0]) if position is not None else None,
            span=span,
            metrics=query.metrics,
            limit=query.page_size + 1,
        )
        shown, rest = found.rows[: query.page_size], found.rest
        if len(found.rows) > len(shown):
            rest = int(shown[-1]["seq"])
        return [_only(row, query.metrics) for row in shown], encode_cursor([rest]) if rest else None

    async def buckets(
        self, device_id: str, query: DataQuery, seconds: int, agg: Aggregate, *, most_figures: int
    ) -> Answer:
        """One page of intervals in their order, and the next cursor; raises NotFound, QueryTooLarge.

        A page ends early, at the end of an interval, once many readings were read.
        """
        position, step = query.position(int), seconds * 1000
        await self._directory.require_device(device_id)
        span = query.span(self._retention)
        if position is not None:
            span = TimeRange(max(span.start, int(position[0])), span.end)
        windows = time_windows(span, aim=PIECE, lead=await self._lead(device_id, span, backwards=False))
        buckets, shown_fields = Buckets(agg, query.metrics, step), fields(query.metrics)
        scan = self._readings.scan(device_id, windows, fields=shown_fields)
        while (page := await scan.next()) is not None:
            buckets.add(page)
            border = scan.position[0] // step * step
            if buckets.holds(query.page_size + 1):
                break
            full = buckets.size > most_figures
            if full or self._reads.exhausted:
                if border > span.start:
                    return buckets.rows(border), encode_cursor([border]) if border < span.end else None
                if full:
                    raise too_many_figures(most_figures)
                if self._reads.found_most:
                    raise too_many_readings(self._reads.documents)
        rows = buckets.rows(span.end)
        shown = rows[: query.page_size]
        more = len(rows) > len(shown)
        return shown, encode_cursor([milliseconds(rows[len(shown)]["ts"])]) if more else None


def _only(row: Document, metrics: Sequence[str]) -> Document:
    if not metrics:
        return row
    return row | {"metrics": {name: row["metrics"][name] for name in metrics if name in row["metrics"]}}
