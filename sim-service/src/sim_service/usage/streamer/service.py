"""Taking pushes: sorted at once, stored together with others that wait, answered when they are stored."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog
from prometheus_client import Counter
from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.database import Sessions
from fleet_kit.errors import Unavailable
from fleet_kit.scope import EVERYTHING
from sim_service.carrier.models import CarrierEvent
from sim_service.carrier.push_stream import StreamBatch, StreamReader, Window
from sim_service.inventory.sims.cache_tags import ALL_USAGE, usage_tags
from sim_service.platform.cache.invalidation import invalidate
from sim_service.usage.streamer.repository import RejectedRepository, StreamRepository

log = structlog.get_logger(__name__)

RECORDS = Counter("sim_stream_records_total", "Pushed records by what became of them.", ["outcome"])
_AHEAD = timedelta(days=31)
_REJECTED_RETENTION = timedelta(days=30)
_YIELD_EVERY = 500
"""Records sorted between two turns of the event loop."""
_MAX_BATCH_POSTS = 4
"""Posts stored in one transaction at most."""
_MAX_QUEUED_POSTS = 40
"""Posts that may wait; each holds some megabytes."""

StoreEvents = Callable[[AsyncSession, Sequence[CarrierEvent]], Awaitable[int]]


@dataclass(slots=True)
class _Post:
    streamed: StreamBatch
    stored: "asyncio.Future[None]"


class StreamReceiver:
    """Everything that is pushed to this process goes through one of these.

    `kept_days`: usage that ended longer ago can no longer be told from a repetition and is rejected.
    `publish_after`: seconds in which additions to a SIM's day are collected before an event is published.
    """

    def __init__(
        self,
        sessions: Sessions,
        read: StreamReader,
        store_events: StoreEvents,
        *,
        kept_days: int,
        publish_after: float,
    ) -> None:
        self._sessions, self._read, self._store_events = sessions, read, store_events
        self._kept, self._publish_after = timedelta(days=kept_days), publish_after
        self._waiting: list[_Post] = []
        self._storing = asyncio.Lock()

    async def take(self, records: Sequence[object]) -> StreamBatch:
        """Sort and store; returns when all of it is in Postgres. Raises Unavailable if too much waits."""
        if len(self._waiting) >= _MAX_QUEUED_POSTS:
            raise Unavailable("too many posts are waiting to be stored", code="PUSH_BUSY", retry_after=2)
        post = _Post(await self._sorted(records), asyncio.get_running_loop().create_future())
        del records  # what is sorted takes a tenth of the room, and may have to wait
        self._waiting.append(post)
        async with self._storing:
            while not post.stored.done():
                await self._next()
        post.stored.result()
        return post.streamed

    async def _sorted(self, records: Sequence[object]) -> StreamBatch:
        now, streamed = datetime.now(UTC), StreamBatch()
        window = Window(now - self._kept, now + _AHEAD)
        for start in range(0, len(records), _YIELD_EVERY):
            self._read(records[start : start + _YIELD_EVERY], window, streamed)
            await asyncio.sleep(0)
        return streamed

    async def _next(self) -> None:
        """Store the posts that wait longest; if that fails for several, each by itself."""
        posts, self._waiting = self._waiting[:_MAX_BATCH_POSTS], self._waiting[_MAX_BATCH_POSTS:]
        try:
            if not await self._stored(posts) and len(posts) > 1:
                for post in posts:
                    await self._stored([post])
        finally:
            self._waiting[:0] = [post for post in posts if not post.stored.done()]

    async def _stored(self, posts: Sequence[_Post]) -> bool:
        """Store posts in one transaction; False if that failed, which is raised for a single post."""
        try:
            counted = await self._write([post.streamed for post in posts])
        except Exception as error:
            log.warning("pushed records not stored", posts=len(posts), error=repr(error)[:300])
            if len(posts) == 1:
                posts[0].stored.set_exception(error)
            return False
        for outcome, number in counted.items():
            RECORDS.labels(outcome).inc(number)
        for post in posts:
            post.stored.set_result(None)
        return True

    async def _write(self, posts: Sequence[StreamBatch]) -> dict[str, int]:
        usage = [record for post in posts for record in post.usage]
        events = [event for post in posts for event in post.events]
        unreadable = [record for post in posts for record in post.unreadable]
        async with self._sessions.begin() as session:
            stream = StreamRepository(session, publish_after=self._publish_after)
            counted = await stream.store(usage)
            invalidate(session, *usage_tags({record.iccid for record in usage}))
            await stream.reject(unreadable)
            new_events = await self._store_events(session, events) if events else 0
        return {
            "stored": counted.stored,
            "unclaimed": counted.unclaimed,
            "repeated": len(usage) - counted.stored + len(events) - new_events,
            "events": new_events,
            "rejected": len(unreadable),
        }


async def assign_to_owners(session: AsyncSession, iccids: Collection[str] | None = None) -> int:
    """Give usage that came while nobody owned its SIM to today's owner; None: of all SIMs. How many records.

    The usage of their hours and days grows in the same transaction.
    """
    stored = (await StreamRepository(session, publish_after=0).assign_to_owners(iccids)).stored
    if stored:
        invalidate(session, *(usage_tags(iccids) if iccids is not None else (ALL_USAGE,)))
    return stored


async def forget_rejected(session: AsyncSession) -> None:
    await RejectedRepository(session, EVERYTHING).delete_older_than(datetime.now(UTC) - _REJECTED_RETENTION)
