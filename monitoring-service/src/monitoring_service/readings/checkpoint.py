"""The checkpoint of the projections `latest` and presence, which follow the stored readings.

Each worker notes up to which number of the sequence its projections are written. A starting worker reads what
was stored after the oldest note, which may be that of a killed worker, and projects it once more: projections
are idempotent.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import structlog

from fleet_kit.scope import EVERYTHING
from monitoring_service.directory.service import DirectoryService
from monitoring_service.readings.repository import ReadingRepository
from monitoring_service.readings.writer import Listener, ReadingWriter
from monitoring_service.store.client import Store
from monitoring_service.store.sequence import StorageSequence

log = structlog.get_logger(__name__)
Flush = Callable[[], Awaitable[None]]
STALE_AFTER = timedelta(minutes=2)
"""The note of a worker that has not written for so long is of one that died; what it left was replayed."""


class ProjectionCheckpoint:
    """Flushes the projections in rounds and notes how far they are written."""

    def __init__(
        self,
        store: Store,
        sequence: StorageSequence,
        writer: ReadingWriter,
        listeners: Sequence[Listener],
        flushes: Sequence[Flush],
        *,
        late: Sequence[Listener] = (),
        late_seconds: float = 0,
    ) -> None:
        """`late`: listeners that may be behind the projections, by so many seconds of what is stored."""
        self._store, self._sequence, self._writer = store, sequence, writer
        self._listeners, self._flushes = tuple(listeners), tuple(flushes)
        self._late, self._late_by = tuple(late), int(late_seconds * 1_000_000)
        self._name, self._noted = uuid4().hex, 0

    async def replay(self) -> int:
        """Replay what other workers left; how many readings that were. Raises StoreError."""
        notes = [note["carried"] async for note in self._store.workers.find({})]
        count = 0
        if notes:
            snapshot = await self._sequence.snapshot()
            organizations = await DirectoryService(self._store, EVERYTHING).organizations()
            repository = ReadingRepository(self._store)
            since = min(notes)
            async for page in repository.after(organizations, since - self._late_by, snapshot.last):
                for listener in self._late:
                    listener(page)
                fresh = [document for document in page if document["seq"] > since]
                count += len(fresh)
                for listener in self._listeners:
                    listener(fresh)
        await self.advance()
        gone = datetime.now(UTC) - STALE_AFTER
        await self._store.workers.delete_many({"at": {"$lt": gone}})
        log.info("readings replayed", readings=count)
        return count

    async def advance(self) -> None:
        """Flush, then note; raises what a flush raises, and then the note stays behind.

        A projection that fails does not hold the others.
        """
        reached = await self._reached()
        outcomes = await asyncio.gather(*(flush() for flush in self._flushes), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        if reached > self._noted:
            note = {"$set": {"carried": reached, "at": datetime.now(UTC)}}
            await self._store.workers.update_one({"_id": self._name}, note, upsert=True)
            self._noted = reached

    async def _reached(self) -> int:
        """Up to here everything that this worker stored has reached the projections."""
        if self._writer.busy:
            return self._writer.done_until
        stable = (await self._sequence.snapshot()).stable
        return self._writer.done_until if self._writer.busy else max(self._writer.done_until, stable)
