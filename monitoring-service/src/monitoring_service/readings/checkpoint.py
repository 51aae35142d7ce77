"""The checkpoint of the projections `latest` and presence, which follow the stored readings.

Each worker notes up to which number of the sequence its projections are written, and that it is alive. What
was stored after the note of a killed worker is read and projected once more, by a worker that starts and by
those that run: projections are idempotent. Listeners that may be late are told afterwards, in no hurry.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class _Recovery:
    """Of which workers late listeners are to be told what was stored after `since`."""

    workers: tuple[str, ...]
    since: int
    snapshot: Snapshot
    forgets: bool
    """The workers are gone, and are forgotten after that."""


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
        self._recovery: _Recovery | None = None

    async def replay(self) -> int:
        """At the start: replay what any other worker may have left; how many readings that were.

        Raises StoreError, and what a flush raises; then all of it is replayed by the next call.
        """
        return await self._replay(await self._notes({}), forgets=False)

    async def replay_stale(self) -> None:
        """Replay what workers left that have died since, and have them forgotten; looked for now and then.

        Raises as `replay` does.
        """
        if self._recovery is None and time.monotonic() >= self._check_at:
            if notes := await self._notes(_stale()):
                await self._replay(notes, forgets=True)
            self._check_at = time.monotonic() + STALE_CHECK_SECONDS

    async def recover_late(self) -> None:
        """Tell late listeners of what was replayed; raises StoreError, and then all of it is told again."""
        recovery = self._recovery
        if recovery is None:
            return
        if self._late:
            await self._tell_late(recovery)
        workers, names = self._store.workers, {"_id": {"$in": list(recovery.workers)}}
        await workers.update_many(names, {"$set": {"replayed": recovery.snapshot.stable}})
        if recovery.forgets:
            # Not one that has been renewed meanwhile: that worker was cut off from the store for a while.
            await workers.delete_many(names | _stale())
        self._recovery = None

    async def advance(self) -> None:
        """Flush, then note; raises what a flush raises, and then the note stays behind.

        A projection that fails does not hold the others.
        """
        reached = max(await self._reached(), self._noted)
        await self._flush()
        if reached > self._noted or (reached and time.monotonic() >= self._note_at):
            note = {"$set": {"carried": reached, "at": datetime.now(UTC)}, "$unset": {"replayed": ""}}
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

    async def _replay(self, notes: list[Document], *, forgets: bool) -> int:
        """Replay what was stored since the oldest note, and move the notes on: it is projected now."""
        snapshot, count = await self._sequence.snapshot(), 0
        if notes:
            count = await self._project(min(note["carried"] for note in notes), snapshot)
        await self.advance()
        late_since = {note["_id"]: note.get("replayed", note["carried"] - self._late_by) for note in notes}
        for name, since in late_since.items():
            moved = {"$max": {"carried": snapshot.stable}, "$set": {"replayed": since}}
            await self._store.workers.update_one({"_id": name}, moved)
        if notes:
            self._recovery = _Recovery(tuple(late_since), min(late_since.values()), snapshot, forgets)
        log.info("readings replayed", readings=count)
        return count

    async def _project(self, since: int, snapshot: Snapshot) -> int:
        count = unwritten = 0
        async for page in ReadingRepository(self._store).of_everybody_after(since, snapshot):
            for listener in self._listeners:
                listener(page)
            count, unwritten = count + len(page), unwritten + len(page)
            if unwritten >= _FLUSH_READINGS:
                await self._flush()
                unwritten = 0
        return count

    async def _tell_late(self, recovery: _Recovery) -> None:
        began = time.monotonic()
        pages = ReadingRepository(self._store).of_everybody_after(recovery.since, recovery.snapshot)
        async for page in pages:
            for listener in self._late:
                listener(page)
            # Others have the store for as long as that took.
            await asyncio.sleep(time.monotonic() - began)
            began = time.monotonic()


def _stale() -> Document:
    """The condition on notes of workers that died."""
    return {"at": {"$lt": datetime.now(UTC) - STALE_AFTER}}
