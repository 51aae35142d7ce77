"""The checkpoint of the projections `latest` and presence, which follow the stored readings.

Each worker notes up to which number of the sequence its projections are written, and that it is alive. What
was stored after the note of a killed worker is read and projected once more, by a worker that starts and by
those that run: projections are idempotent.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import structlog

from monitoring_service.readings.repository import ReadingRepository
from monitoring_service.readings.writer import Listener, ReadingWriter
from monitoring_service.store.client import Document, Store
from monitoring_service.store.sequence import Snapshot, StorageSequence

log = structlog.get_logger(__name__)
Flush = Callable[[], Awaitable[None]]
NOTE_SECONDS = 5
"""A worker with nothing to do renews its note as often."""
STALE_AFTER = timedelta(seconds=30)
"""A note that was not renewed for so long is of a worker that died."""
STALE_CHECK_SECONDS = 10
_FLUSH_READINGS = 5_000
"""Replayed readings after which the projections are written: they hold one of each device in memory."""


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
        self._name, self._noted, self._note_at, self._check_at = uuid4().hex, 0, 0.0, 0.0

    async def replay(self) -> int:
        """At the start: replay what any other worker may have left; how many readings that were.

        Raises StoreError, and what a flush raises; then all of it is replayed by the next call.
        """
        return await self._replay(await self._notes({}))

    async def replay_stale(self) -> None:
        """Replay what workers left that have died since, and forget them; looked for now and then.

        Raises as `replay` does.
        """
        if time.monotonic() < self._check_at:
            return
        stale = {"at": {"$lt": datetime.now(UTC) - STALE_AFTER}}
        if notes := await self._notes(stale):
            await self._replay(notes)
            names = [note["_id"] for note in notes]
            # Not one that has been renewed meanwhile: that worker was cut off from the store for a while.
            await self._store.workers.delete_many({"_id": {"$in": names}, **stale})
        self._check_at = time.monotonic() + STALE_CHECK_SECONDS

    async def advance(self) -> None:
        """Flush, then note; raises what a flush raises, and then the note stays behind.

        A projection that fails does not hold the others.
        """
        reached = max(await self._reached(), self._noted)
        await self._flush()
        if reached > self._noted or (reached and time.monotonic() >= self._note_at):
            note = {"$set": {"carried": reached, "at": datetime.now(UTC)}}
            await self._store.workers.update_one({"_id": self._name}, note, upsert=True)
            self._noted, self._note_at = reached, time.monotonic() + NOTE_SECONDS

    async def _flush(self) -> None:
        outcomes = await asyncio.gather(*(flush() for flush in self._flushes), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome

    async def _reached(self) -> int:
        """Up to here everything that this worker stored has reached the projections."""
        if self._writer.busy:
            return self._writer.done_until
        stable = (await self._sequence.snapshot()).stable
        return self._writer.done_until if self._writer.busy else max(self._writer.done_until, stable)

    async def _notes(self, condition: Document) -> list[Document]:
        found = self._store.workers.find(condition)
        return [note async for note in found if note["_id"] != self._name]

    async def _replay(self, notes: list[Document]) -> int:
        """Replay what was stored since the oldest note, and move the notes on: it is projected now."""
        snapshot, count = await self._sequence.snapshot(), 0
        if notes:
            since = min(note["carried"] for note in notes)
            late_since = min(max(note["carried"] - self._late_by, note.get("replayed", 0)) for note in notes)
            count = await self._project(since, late_since, snapshot)
        await self.advance()
        reached = {"$max": {"carried": snapshot.stable, "replayed": snapshot.stable}}
        names = [note["_id"] for note in notes]
        await self._store.workers.update_many({"_id": {"$in": names}}, reached)
        log.info("readings replayed", readings=count)
        return count

    async def _project(self, since: int, late_since: int, snapshot: Snapshot) -> int:
        count = unwritten = 0
        repository = ReadingRepository(self._store)
        async for page in repository.of_everybody_after(min(since, late_since), snapshot):
            _tell(self._late, page, late_since)
            fresh = _tell(self._listeners, page, since)
            count, unwritten = count + fresh, unwritten + fresh
            if unwritten >= _FLUSH_READINGS:
                await self._flush()
                unwritten = 0
        return count


def _tell(listeners: Sequence[Listener], page: Sequence[Document], since: int) -> int:
    """Tell of those that were stored after `since`; how many."""
    fresh = [document for document in page if document["seq"] > since]
    if fresh:
        for listener in listeners:
            listener(fresh)
    return len(fresh)
