"""Queries on rejected messages: each names exactly the fields of one index; see readings/repository.py."""

import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from fleet_kit.scope import Scope
from monitoring_service.rejected.counts import RejectedCounts
from monitoring_service.store.client import Document, Store
from monitoring_service.store.inserts import insert_once
from monitoring_service.store.reads import PIECE, PlainReads, Reads
from monitoring_service.store.scans import Field, Position, RangeScan
from monitoring_service.store.windows import CountedMinutes, Walk

RECEIVED = Field("received_at", is_moment=True)
MAX_INSERT = 500
"""Entries in one insert."""
_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00Z")
_HOUR_MS = 3_600_000
_AHEAD_MS = 10 * 60_000
"""A clock of another machine may be ahead by so much."""
_FIRST_COUNTS, _MOST_COUNTS = 6, 168
"""Hours of which the counts are read at a time, growing."""
_COUNTED = 2000
"""So many entries are counted one by one; of more the counts are good enough."""


@dataclass(frozen=True, slots=True)
class RejectedSlice:
    """Entries, and before which position a further request goes on if this one ended early."""

    rows: list[Document]
    rest: Position | None = None


class RejectedRepository:
    """Rejected messages of one scope. Those without an organisation are for the platform administrator."""

    def __init__(self, store: Store, scope: Scope, retention: timedelta, reads: Reads | None = None) -> None:
        self._collection, self._scope, self._counts = store.rejected, scope, RejectedCounts(store)
        self._retention, self._reads = retention, reads or PlainReads()

    async def add(self, documents: Sequence[Document]) -> None:
        """Store them once; raises StoreUnavailable, StoreError, and then they may be added again.

        Piece by piece: of any number at once none would be stored in time, however often it is tried.
        """
        for start in range(0, len(documents), MAX_INSERT):
            piece = documents[start : start + MAX_INSERT]
            await self._counts.add(piece)
            result = await insert_once(self._collection, piece)
            await self._counts.add([*result.duplicates, *(one for one, _ in result.refused)], -1)

    async def page(self, device_id: str | None, before: Position | None, limit: int) -> RejectedSlice:
        """The newest ones, from before that position on."""
        rows: list[Document] = []
        high = _now() + _AHEAD_MS
        if before is not None:
            high = min(high, before[0] + 1)
        async for walk in self._walks(self._oldest(), high):
            scan = self._scan(device_id, walk, before if before and high == before[0] + 1 else None)
            before = None
            while (page := await scan.next()) is not None:
                rows += [row for row in page if self._covers(row)]
                if len(rows) >= limit:
                    return RejectedSlice(rows[:limit])
                if self._reads.exhausted:
                    return RejectedSlice(rows, scan.position)
        return RejectedSlice(rows)

    async def count(self) -> int:
        """How many there are; a few more where many are."""
        total = await self._counts.total(self._scope, self._oldest() // _HOUR_MS, self._reads)
        if total > _COUNTED:
            return total
        since = {"received_at": {"$gte": _moment(self._oldest())}}
        query = self._collection.find(self._mine(None) | since, {"_id": 1})
        return len(await self._reads.rows(query, _COUNTED))

    async def _walks(self, low: int, high: int) -> AsyncIterator[CountedMinutes]:
        hours = _FIRST_COUNTS
        while low < high:
            last = -(-high // _HOUR_MS)
            start = max(low, (last - hours) * _HOUR_MS)
            counts = await self._counts.minutes(self._scope, start // _HOUR_MS, last, self._reads)
            yield CountedMinutes(counts, start, high, aim=PIECE)
            high, hours = start, min(_MOST_COUNTS, hours * 4)

    def _scan(self, device_id: str | None, walk: Walk, since: Position | None) -> RangeScan:
        def find(moments: Any) -> Any:
            return self._collection.find(self._mine(device_id) | {RECEIVED.name: moments})

        return RangeScan(self._reads, find, RECEIVED, walk, backwards=True, since=since)

    def _mine(self, device_id: str | None) -> Document:
        if device_id is not None:
            return {"device_id": device_id}
        organization = self._scope.organization_id
        return {} if organization is None else {"organization_id": str(organization)}

    def _covers(self, row: Document) -> bool:
        owner = row["organization_id"]
        return self._scope.covers(UUID(owner) if owner is not None else None)

    def _oldest(self) -> int:
        return _now() - int(self._retention.total_seconds() * 1000)


def _now() -> int:
    return int(time.time() * 1000)


def _moment(milliseconds: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=milliseconds)
