"""Queries on readings.

Each query names exactly the fields of one index and a bounded range: with any further condition SecantusDB
reads the whole collection. What else is asked for is sorted out here.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass

from bson.int64 import Int64

from monitoring_service.readings.models import TimeRange, from_milliseconds
from monitoring_service.store.client import Document, Store
from monitoring_service.store.counts import Counts
from monitoring_service.store.sequence import MINUTE, StorageSequence
from monitoring_service.store.windows import FilledMinutes, Walk, Windows

PAGE = 2000
"""Readings that one query should answer with."""
BUDGET = 20_000
"""Readings that one request may read before it answers with what it has and a cursor."""
_DELETE = 1000
_SECOND = 1_000_000
SHORT_RANGE = 10 * _SECOND
"""A piece of the sequence that is read without asking first what it holds."""
_HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class ReadingSlice:
    """Readings, and where a further request has to go on if this one ended early (None: it did not).

    `rest` is a border in the unit that was walked: all before it, in the order asked for, was read.
    """

    rows: list[Document]
    rest: int | None = None


class ReadingRepository:
    """Readings by device and time, or by organisation and order of storing.

    Who may see a device has been decided before its id comes here.
    """

    def __init__(self, store: Store) -> None:
        self._readings, self._counts = store.readings, Counts(store, StorageSequence(store))

    async def of_device(
        self,
        device_id: str,
        span: TimeRange,
        *,
        metrics: Sequence[str],
        backwards: bool,
        limit: int,
        past: tuple[int, str] | None = None,
        first_width: int = _HOUR_MS // 6,
    ) -> ReadingSlice:
        """The first `limit` readings of the span in the order asked for, or those past a (time, `_id`).

        `first_width` is the width of the first window in milliseconds.
        """
        found: list[Document] = []
        if past is not None:
            same = await self._measured(device_id, past[0], past[0] + 1, backwards=backwards)
            found += [row for row in same if _is_past(row["_id"], past[1], backwards=backwards)]
            span = TimeRange(span.start, past[0]) if backwards else TimeRange(past[0] + 1, span.end)
        windows = Windows(span.start, span.end, first_width, 6 * _HOUR_MS, limit, backwards)
        found = [row for row in found if _has(row, metrics)]
        seen = 0
        while len(found) < limit and (piece := windows.next()) is not None:
            if seen > BUDGET:
                return ReadingSlice(found, piece[1] if backwards else piece[0])
            most = 0 if metrics else limit - len(found)
            page = await self._measured(device_id, *piece, backwards=backwards, limit=most)
            windows.found(len(page))
            seen += len(page)
            found += [row for row in page if _has(row, metrics)]
        return ReadingSlice(found[:limit])

    async def _measured(
        self, device_id: str, low: int, high: int, *, backwards: bool, limit: int = 0
    ) -> list[Document]:
        ts = (
            {"$gte": from_milliseconds(low), "$lt": from_milliseconds(high)}
            if high - low > 1
            else from_milliseconds(low)
        )
        direction = -1 if backwards else 1
        found = self._readings.find({"device_id": device_id, "ts": ts})
        return await found.sort([("ts", direction), ("_id", direction)]).limit(limit).to_list(None)

    async def of_organizations(
        self,
        organizations: Sequence[str],
        low: int,
        high: int,
        *,
        span: TimeRange,
        metrics: Sequence[str],
        limit: int,
    ) -> ReadingSlice:
        """The last `limit` readings stored in [low, high) of the sequence, newest first."""
        walk = await self._filled(organizations, low, high, aim=limit, backwards=True)
        found: list[Document] = []
        seen = 0
        while (piece := walk.next()) is not None:
            page = await self._stored(organizations, *piece)
            walk.found(len(page))
            seen += len(page)
            found += [row for row in reversed(page) if span.holds(row) and _has(row, metrics)]
            if len(found) >= limit:
                return ReadingSlice(found[:limit])
            if seen > BUDGET:
                return ReadingSlice(found, piece[0])
        return ReadingSlice(found)

    async def after(
        self, organizations: Sequence[str], seq: int, until: int
    ) -> AsyncIterator[list[Document]]:
        """Readings of organisations stored after `seq` up to `until`, in order, in pages."""
        walk: Walk = Windows(seq + 1, until + 1, _SECOND, SHORT_RANGE, PAGE)
        if until - seq > SHORT_RANGE:
            walk = await self._filled(organizations, seq + 1, until + 1, aim=PAGE)
        while (piece := walk.next()) is not None:
            page = await self._stored(organizations, *piece)
            walk.found(len(page))
            if page:
                yield page

    async def _filled(
        self, organizations: Iterable[str], low: int, high: int, *, aim: int, backwards: bool = False
    ) -> FilledMinutes:
        total: dict[int, int] = {}
        for organization in organizations:
            _, minutes = await self._counts.by_minute(organization, low // MINUTE - 1)
            for minute, n in minutes.items():
                total[minute] = total.get(minute, 0) + n
        return FilledMinutes(total, low, high, aim=aim, backwards=backwards)

    async def _stored(self, organizations: Sequence[str], low: int, high: int) -> list[Document]:
        span = {"$gte": Int64(low), "$lt": Int64(high)}
        rows: list[Document] = []
        for organization in organizations:
            query = {"organization_id": organization, "seq": span}
            rows += await self._readings.find(query).sort("seq", 1).to_list(None)
        return sorted(rows, key=_seq) if len(organizations) > 1 else rows

    async def aggregate(self, pipeline: list[Document]) -> list[Document]:
        """What a pipeline answers."""
        return await self._readings.aggregate(pipeline).to_list(None)

    async def delete_minutes(self, organization_id: str, minutes: dict[int, int], end: int) -> int:
        """Delete what was stored in these minutes, below `end`, a little at a time."""
        if not minutes:
            return 0
        walk = FilledMinutes(minutes, min(minutes) * MINUTE, end, aim=_DELETE)
        deleted = 0
        while (piece := walk.next()) is not None:
            span = {"$gte": Int64(piece[0]), "$lt": Int64(piece[1])}
            result = await self._readings.delete_many({"organization_id": organization_id, "seq": span})
            walk.found(int(result.deleted_count))
            deleted += int(result.deleted_count)
        return deleted


def _is_past(key: str, other: str, *, backwards: bool) -> bool:
    return key < other if backwards else key > other


def _has(row: Document, metrics: Sequence[str]) -> bool:
    return not metrics or any(name in row["metrics"] for name in metrics)


def _seq(row: Document) -> int:
    return int(row["seq"])
