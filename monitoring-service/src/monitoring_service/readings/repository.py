"""Queries on readings.

Each query names exactly the fields of one index and a bounded range: with any further condition SecantusDB
reads the whole collection. What else is asked for is sorted out here.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from bson.int64 import Int64

from monitoring_service.readings.models import TimeRange
from monitoring_service.store.active import ActiveOrganizations
from monitoring_service.store.client import Document, Store
from monitoring_service.store.counts import HOUR, Counts
from monitoring_service.store.reads import MOST_ROWS, PIECE, PlainReads, Reads
from monitoring_service.store.scans import Field, Position, RangeScan, read_stored
from monitoring_service.store.sequence import MINUTE, Snapshot, StorageSequence
from monitoring_service.store.windows import FilledMinutes, Walk, Windows

TS = Field("ts", is_moment=True)
Rest = TypeVar("Rest")
PAGE = 500
"""Readings that one query should answer with."""
_DELETE = 1000
_SECOND = 1_000_000
SHORT_RANGE = 10 * _SECOND
"""A piece of the sequence that is read without asking first what it holds."""
_FIRST_MS, _WIDEST_MS = 1000, 60 * 60_000
"""First and widest piece of a range of time. Nobody knows how much one holds, and all of it is sorted before
the first of it is answered."""
_FIRST_COUNTS, _MOST_COUNTS = 6, 168
"""Hours of which the counts are read at a time, growing."""


def time_windows(span: TimeRange, *, aim: int, backwards: bool = False, lead: int = 0) -> Windows:
    """Pieces of a range of time of measuring; `lead`: milliseconds in which nothing is expected."""
    return Windows(span.start, span.end, _FIRST_MS, _WIDEST_MS, aim, backwards, lead)


@dataclass(frozen=True, slots=True)
class ReadingSlice(Generic[Rest]):
    """Readings, and where a further request has to go on if this one ended early (None: it did not)."""

    rows: list[Document]
    rest: Rest | None = None


class ReadingRepository:
    """Readings by device and time, or by organisation and order of storing.

    Who may see a device has been decided before its id comes here. Each piece is read by `reads`, and a page
    ends early once these are exhausted.
    """

    def __init__(self, store: Store, reads: Reads | None = None) -> None:
        self._readings, self._sequence = store.readings, StorageSequence(store)
        self._counts = Counts(store, self._sequence)
        self._reads: Reads = reads or PlainReads()

    async def of_device(
        self,
        device_id: str,
        span: TimeRange,
        *,
        metrics: Sequence[str],
        backwards: bool,
        limit: int,
        since: Position | None = None,
        lead: int = 0,
    ) -> ReadingSlice[Position]:
        """The first `limit` readings of the span in the order asked for, or those from a position on.

        `lead`: milliseconds at the beginning in which nothing is expected.
        """
        if since is not None and not span.start <= since[0] < span.end:
            return ReadingSlice([])
        if since is not None:
            rest = _from(span, since[0], backwards=backwards)
            lead = max(0, lead - (span.end - rest.end) - (rest.start - span.start))
            span = rest
        windows = time_windows(span, aim=min(limit, PIECE), backwards=backwards, lead=lead)
        scan, found = self.scan(device_id, windows, since=since), list[Document]()
        most = MOST_ROWS if metrics else min(limit, MOST_ROWS)
        while (page := await scan.next(most)) is not None:
            found += [row for row in page if _has(row, metrics)]
            if len(found) >= limit:
                return ReadingSlice(found[:limit])
            if self._reads.exhausted:
                return ReadingSlice(found, scan.position)
        return ReadingSlice(found)

    def scan(
        self,
        device_id: str,
        windows: Windows,
        *,
        since: Position | None = None,
        fields: Document | None = None,
    ) -> RangeScan:
        """Readings of a device in these pieces of the time of measuring; `fields` is the projection."""

        def find(moments: Any) -> Any:
            return self._readings.find({"device_id": device_id, "ts": moments}, fields)

        return RangeScan(self._reads, find, TS, windows, backwards=windows.backwards, since=since)

    async def of_organizations(
        self,
        organizations: Sequence[str],
        low: int,
        high: int | None,
        *,
        span: TimeRange,
        metrics: Sequence[str],
        limit: int,
    ) -> ReadingSlice[int]:
        """The last `limit` readings stored in [low, high) of the sequence, newest first; None: up to its end.

        Not up to now: the sequence may be ahead of this clock. And not further: `high` is what anybody wrote.
        """
        snapshot, found = await self._sequence.snapshot(self._reads), list[Document]()
        high = min(snapshot.last + 1, snapshot.last + 1 if high is None else high)
        active = ActiveOrganizations(self._counts, organizations, snapshot, self._reads)
        async for border, walk in self._filled_lately(organizations, low, high, snapshot, min(limit, PIECE)):
            while (piece := walk.next()) is not None:
                page, (start, _) = await self._stored(await active.of(*piece), *piece, backwards=True)
                walk.found(len(page))
                walk.return_to(start)
                found += [row for row in page if span.holds(row) and _has(row, metrics)]
                if len(found) >= limit:
                    return ReadingSlice(found[:limit])
                # Looked at only now: however dear the counts were, each request gets on by one piece.
                if self._reads.exhausted:
                    return ReadingSlice(found, start)
            if self._reads.exhausted and border > low:
                return ReadingSlice(found, border)
        return ReadingSlice(found)

    async def after(
        self, organizations: Sequence[str], seq: int, snapshot: Snapshot
    ) -> AsyncIterator[list[Document]]:
        """Readings of organisations stored after `seq` that the snapshot has for good, in order, in pages."""
        low, high = seq + 1, snapshot.stable + 1
        walk: Walk = Windows(low, high, _SECOND, SHORT_RANGE, PAGE)
        if high - low > SHORT_RANGE:
            walk = FilledMinutes(await self._minutes(organizations, low, high, snapshot), low, high, aim=PAGE)
        async for page in self._pages(organizations, walk, snapshot):
            yield page

    async def of_everybody_after(self, seq: int, snapshot: Snapshot) -> AsyncIterator[list[Document]]:
        """Readings stored after `seq` up to the snapshot, in pages, one organisation after the other.

        A page has readings of one organisation: in one order, each would be a query for all of them.
        """
        low, high = seq + 1, snapshot.last + 1
        async for name, minutes in self._counts.filled(None, low // MINUTE - 1, high // MINUTE, snapshot):
            async for page in self._pages([name], FilledMinutes(minutes, low, high, aim=PAGE), snapshot):
                yield page

    async def _pages(
        self, organizations: Sequence[str], walk: Walk, snapshot: Snapshot
    ) -> AsyncIterator[list[Document]]:
        active = ActiveOrganizations(self._counts, organizations, snapshot, self._reads)
        while (piece := walk.next()) is not None:
            page, (_, end) = await self._stored(await active.of(*piece), *piece)
            walk.found(len(page))
            walk.return_to(end)
            if page:
                yield page

    async def _filled_lately(
        self, organizations: Sequence[str], low: int, high: int, snapshot: Snapshot, aim: int
    ) -> AsyncIterator[tuple[int, FilledMinutes]]:
        """Walks over [low, high), each with its lower border; who asks for the last page needs few counts."""
        hours = _FIRST_COUNTS
        while low < high:
            start = max(low, (high // HOUR - hours) * HOUR)
            minutes = await self._minutes(organizations, start, high, snapshot)
            yield start, FilledMinutes(minutes, start, high, aim=aim, backwards=True)
            high, hours = start, min(_MOST_COUNTS, hours * 4)

    async def _minutes(
        self, organizations: Iterable[str], low: int, high: int, snapshot: Snapshot | None = None
    ) -> dict[int, int]:
        first, until, reads = low // MINUTE - 1, high // MINUTE, self._reads
        return await self._counts.by_minute(organizations, first, until=until, reads=reads, snapshot=snapshot)

    async def _stored(
        self, organizations: Sequence[str], low: int, high: int, *, backwards: bool = False
    ) -> tuple[list[Document], tuple[int, int]]:
        return await read_stored(self._reads, self._readings, organizations, low, high, backwards=backwards)

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


def _from(span: TimeRange, moment: int, *, backwards: bool) -> TimeRange:
    if backwards:
        return TimeRange(span.start, min(span.end, moment + 1))
    return TimeRange(max(span.start, moment), span.end)


def _has(row: Document, metrics: Sequence[str]) -> bool:
    return not metrics or any(name in row["metrics"] for name in metrics)
