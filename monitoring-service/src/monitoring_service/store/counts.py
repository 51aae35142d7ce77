"""How many readings are stored, per organisation and minute of storage.

The newest minutes are counted in the sequence's own document; minutes in which nothing can be stored any more
move to one document per organisation and hour. Every step writes absolute figures, so it may be repeated.
"""

import time
from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pymongo import UpdateOne

from monitoring_service.store.client import Document, Store
from monitoring_service.store.reads import MOST_ROWS, PlainReads, Reads
from monitoring_service.store.scans import Field, RangeScan
from monitoring_service.store.sequence import KEY, MINUTE, Snapshot, StorageSequence
from monitoring_service.store.windows import Windows

HOUR = 60 * MINUTE
FEW = 20
"""So many organisations are asked for one by one; instead of more, all that there are."""
UNFOLDED = 15_000_000
"""Of the sequence: minutes that ended later stay in its own document, where the live feed finds them."""
_RECOUNT_SECONDS = 3600.0
"""Older hours change only by being deleted; months of one organisation take a second to count."""
_FOLDED = 1000
"""Counts moved at a time: after a standstill there are many, and each part that is moved stays moved."""
_HOUR = Field("hour")
_HOURS = MOST_ROWS * 4 // 5
"""Documents that a piece of hours should hold: fewer than one read takes, so that a piece which held too many
is followed by shorter ones."""


@dataclass(frozen=True, slots=True)
class _Older:
    """All readings before the hour `border`; good enough until `recount_at` of the monotonic clock."""

    border: int
    total: int
    recount_at: float


class Counts:
    """Reads the counts and moves those of closed minutes."""

    def __init__(self, store: Store, sequence: StorageSequence) -> None:
        self._store, self._sequence = store, sequence
        self._older: dict[str, _Older] = {}

    async def fold(self) -> int:
        """Move closed minutes out of the sequence's document; how many counts were moved."""
        snapshot = await self._sequence.snapshot()
        open_from = (snapshot.stable - UNFOLDED) // MINUTE
        closed = [
            (name, minute, number)
            for name, minutes in snapshot.recent.items()
            for minute, number in minutes.items()
            if minute < open_from and minute not in snapshot.unsure
        ]
        for start in range(0, len(closed), _FOLDED):
            some = closed[start : start + _FOLDED]
            await self._store.hourly.bulk_write([_hour_op(*count) for count in some], ordered=False)
            gone = {f"recent.{name}.{minute}": "" for name, minute, _ in some}
            await self._store.sequence.update_one({"_id": KEY}, {"$unset": gone})
        return len(closed)

    async def by_minute(
        self,
        organizations: Iterable[str],
        since_minute: int,
        *,
        until: int | None = None,
        reads: Reads | None = None,
        snapshot: Snapshot | None = None,
    ) -> dict[int, int]:
        """Readings of these organisations by minute, from `since_minute` up to `until`, both included.

        Complete up to the moment of the call, or of the snapshot. Raises what `reads` does.
        """
        snapshot, total = snapshot or await self._sequence.snapshot(reads), Counter[int]()
        if until is None:  # the sequence may be ahead of this clock
            until = max(_next_hour() * 60, snapshot.last // MINUTE)
        async for _, minutes in self.filled(set(organizations), since_minute, until, snapshot, reads=reads):
            total.update(minutes)
        return dict(total)

    async def filled(
        self,
        organizations: Collection[str] | None,
        since_minute: int,
        until_minute: int,
        snapshot: Snapshot,
        *,
        reads: Reads | None = None,
    ) -> AsyncIterator[tuple[str, dict[int, int]]]:
        """Which of the organisations (None: of all) stored how many readings in which minutes.

        An organisation and minutes of one hour at a time, both ends included, up to the snapshot.
        """
        names = snapshot.recent if organizations is None else organizations
        recent = {name: _within(snapshot.recent.get(name, {}), since_minute, until_minute) for name in names}
        asked = [None] if organizations is None or len(organizations) > FEW else organizations
        for owner in asked:
            async for hour in self._hours(owner, since_minute // 60, until_minute // 60 + 1, reads):
                name, minutes = hour["organization_id"], _within(_minutes(hour), since_minute, until_minute)
                if organizations is None or name in organizations:
                    for minute in minutes:  # it may have been moved since the snapshot was taken
                        recent.get(name, {}).pop(minute, None)
                    yield name, minutes
        for name, minutes in recent.items():
            if minutes:
                yield name, minutes

    async def total(self, organizations: Iterable[str], reads: Reads | None = None) -> tuple[int, int]:
        """(all stored readings, those of the last sixty minutes) of these organisations."""
        now, snapshot = int(time.time()) // 60, await self._sequence.snapshot(reads)
        borders = {name: min(now // 60 - 2, _settled_until(snapshot, name)) for name in organizations}
        total = last_hour = 0
        for name, border in borders.items():
            total += await self._older_than(name, border, reads or PlainReads())
        since, until = min(borders.values(), default=0) * 60, max(_next_hour() * 60, snapshot.last // MINUTE)
        async for name, minutes in self.filled(borders, since, until, snapshot, reads=reads):
            newer = _within(minutes, borders[name] * 60, until)
            total += sum(newer.values())
            last_hour += sum(n for minute, n in newer.items() if minute > now - 60)
        return total, last_hour

    async def _older_than(self, organization_id: str, border: int, reads: Reads) -> int:
        """All readings before the hour `border`, of which deleted ones may still be counted for a while.

        A request that has used up half of its time counts nothing anew but what it does not know at all: of
        hundreds of organisations each request counts some, and the next one goes on.
        """
        known = self._older.get(organization_id)
        is_due = known is not None and known.recount_at <= time.monotonic() and not reads.exhausted
        if known is None or is_due or known.border > border:
            known = _Older(0, 0, time.monotonic() + _RECOUNT_SECONDS)
        total = known.total
        async for hour in self._hours(organization_id, known.border, border, reads):
            total += sum(int(n) for n in hour["minutes"].values())
        self._older[organization_id] = _Older(border, total, known.recount_at)
        return total

    async def _hours(
        self, organization_id: str | None, low: int, high: int, reads: Reads | None
    ) -> AsyncIterator[Document]:
        """The counted hours of [low, high), read a bounded number at a time; None: of everybody.

        The first piece of one organisation is all of the range: nobody knows when it began to send, and how
        long the hours are kept that could not be deleted in time. What it leaves is read in shorter ones.
        """
        is_one, span = organization_id is not None, high - low

        def find(hours: Any) -> Any:
            mine = {"organization_id": organization_id} if is_one else {}
            return self._store.hourly.find(mine | {"hour": hours})

        walk = Windows(
            low, high, MOST_ROWS if is_one else 1, max(1, span), _HOURS, lead=span if is_one else 0
        )
        scan = RangeScan(reads or PlainReads(), find, _HOUR, walk)
        while (page := await scan.next()) is not None:
            for hour in page:
                yield hour


def _minutes(hour: Document) -> dict[int, int]:
    first = int(hour["hour"]) * 60
    return {first + int(offset): int(n) for offset, n in hour["minutes"].items()}


def _within(minutes: Mapping[int, int], since: int, until: int) -> dict[int, int]:
    return {minute: n for minute, n in minutes.items() if n and since <= minute <= until}


def _settled_until(snapshot: Snapshot, organization_id: str) -> int:
    """The first hour of which counts are not in `hourly` yet, or may still change."""
    if not snapshot.last:
        return _next_hour()
    recent = snapshot.recent.get(organization_id, {})
    return min((snapshot.stable // MINUTE, *snapshot.unsure, *recent)) // 60


def _next_hour() -> int:
    return int(time.time()) // 3600 + 1


def _hour_op(organization_id: str, minute: int, number: int) -> UpdateOne:
    hour, offset = divmod(minute, 60)
    change = {"organization_id": organization_id, "hour": hour, f"minutes.{offset}": number}
    return UpdateOne({"_id": f"{organization_id}:{hour}"}, {"$set": change}, upsert=True)
