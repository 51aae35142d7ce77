"""Carries stored readings on to `latest` and presence, also those that a killed worker left behind.

Each worker notes up to which number of the sequence it has carried on what it stored. A starting worker reads
everything stored after the oldest such note and carries it on once more, which changes nothing that was done.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import structlog

from fleet_kit.scope import EVERYTHING
from monitoring_service.facts.service import Facts
from monitoring_service.readings.ingest import Ingest, Listener
from monitoring_service.readings.repository import ReadingRepository
from monitoring_service.store.client import Store
from monitoring_service.store.sequence import Sequence as Clock

log = structlog.get_logger(__name__)
Flush = Callable[[], Awaitable[None]]
FORGET_AFTER = timedelta(minutes=2)
"""The note of a worker that has not written for so long is of one that died; what it left was carried on."""


class Carry:
    """Flushes the keepers in rounds and notes how far they came."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        ingest: Ingest,
        listeners: Sequence[Listener],
        flushes: Sequence[Flush],
    ) -> None:
        self._store, self._clock, self._ingest = store, clock, ingest
        self._listeners, self._flushes = tuple(listeners), tuple(flushes)
        self._name, self._noted = uuid4().hex, 0

    async def recover(self) -> int:
        """Carry on what others left; how many readings that were. Raises StoreError."""
        notes = [note["carried"] async for note in self._store.workers.find({})]
        count = 0
        if notes:
            snapshot = await self._clock.snapshot()
            organizations = await Facts(self._store, EVERYTHING).organizations()
            repository = ReadingRepository(self._store)
            async for page in repository.after(organizations, min(notes), snapshot.last):
                count += len(page)
                for listener in self._listeners:
                    listener(page)
        await self.round()
        gone = datetime.now(UTC) - FORGET_AFTER
        await self._store.workers.delete_many({"at": {"$lt": gone}})
        log.info("carried on what was left", readings=count)
        return count

    async def round(self) -> None:
        """Flush, then note; raises what a flush raises, and then the note stays behind."""
        reached = await self._reached()
        for flush in self._flushes:
            await flush()
        if reached > self._noted:
            note = {"$set": {"carried": reached, "at": datetime.now(UTC)}}
            await self._store.workers.update_one({"_id": self._name}, note, upsert=True)
            self._noted = reached

    async def _reached(self) -> int:
        """Up to here everything that this worker stored has been told to the keepers."""
        if self._ingest.busy:
            return self._ingest.done_until
        stable = (await self._clock.snapshot()).stable
        return self._ingest.done_until if self._ingest.busy else max(self._ingest.done_until, stable)
