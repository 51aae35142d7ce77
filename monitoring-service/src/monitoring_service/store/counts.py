"""How many readings are stored, per organisation and minute of storage.

The newest minutes are counted in the sequence's own document; minutes in which nothing can be stored any more
move to one document per organisation and hour. Every step writes absolute figures, so it may be repeated.
"""

import time
from collections.abc import Iterable

from pymongo import UpdateOne

from monitoring_service.store.client import Store
from monitoring_service.store.sequence import KEY, MINUTE, Snapshot, StorageSequence

HOUR = 60 * MINUTE
_REMEMBER_SECONDS = 30.0


class Counts:
    """Reads the counts and moves those of closed minutes."""

    def __init__(self, store: Store, sequence: StorageSequence) -> None:
        self._store, self._sequence = store, sequence
        self._old: dict[str, tuple[float, int, int]] = {}

    async def fold(self) -> int:
        """Move closed minutes out of the sequence's document; how many counts were moved."""
        snapshot = await self._sequence.snapshot()
        open_from = snapshot.stable // MINUTE
        closed = [
            (name, minute, number)
            for name, minutes in snapshot.recent.items()
            for minute, number in minutes.items()
            if minute < open_from
        ]
        if closed:
            await self._store.hourly.bulk_write([_hour_op(*count) for count in closed], ordered=False)
            gone = {f"recent.{name}.{minute}": "" for name, minute, _ in closed}
            await self._store.sequence.update_one({"_id": KEY}, {"$unset": gone})
        return len(closed)

    async def by_minute(self, organization_id: str, since_minute: int) -> tuple[Snapshot, dict[int, int]]:
        """Readings per minute from that one on, and the snapshot up to which they are complete."""
        snapshot = await self._sequence.snapshot()
        minutes = dict(snapshot.recent.get(organization_id, {}))
        query = {"organization_id": organization_id, "hour": {"$gte": since_minute // 60}}
        async for document in self._store.hourly.find(query):
            first = int(document["hour"]) * 60
            minutes |= {first + int(offset): int(n) for offset, n in document["minutes"].items()}
        return snapshot, {minute: n for minute, n in minutes.items() if minute >= since_minute and n}

    async def total(self, organization_ids: Iterable[str]) -> tuple[int, int]:
        """(all stored readings, those of the last sixty minutes) of these organisations."""
        now = int(time.time()) // 60
        total = last_hour = 0
        for name in organization_ids:
            border = (now // 60 - 2) * 60
            old = await self._older_than(name, border)
            _, minutes = await self.by_minute(name, border)
            total += old + sum(minutes.values())
            last_hour += sum(n for minute, n in minutes.items() if minute > now - 60)
        return total, last_hour

    async def _older_than(self, organization_id: str, border: int) -> int:
        known = self._old.get(organization_id)
        now = time.monotonic()
        if known is not None and known[0] > now and known[1] == border:
            return known[2]
        query = {"organization_id": organization_id, "hour": {"$lt": border // 60}}
        total = 0
        async for document in self._store.hourly.find(query):
            total += sum(int(n) for n in document["minutes"].values())
        self._old[organization_id] = (now + _REMEMBER_SECONDS, border, total)
        return total


def _hour_op(organization_id: str, minute: int, number: int) -> UpdateOne:
    hour, offset = divmod(minute, 60)
    change = {"organization_id": organization_id, "hour": hour, f"minutes.{offset}": number}
    return UpdateOne({"_id": f"{organization_id}:{hour}"}, {"$set": change}, upsert=True)
