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
from fleet_kit.keyset import Found
from fleet_kit.pagination import PageParams
from fleet_kit.scope import EVERYTHING, Scope
from sim_service.cache.changes import usage_changed
from sim_service.carrier.facts import CarrierEvent
from sim_service.carrier.stream import Streamed, StreamReader, Window
from sim_service.push.models import RejectedRecord
from sim_service.push.repository import RejectedRepository, StreamRepository

log = structlog.get_logger(__name__)

RECORDS = Counter("sim_stream_records_total", "Pushed records by what became of them.", ["outcome"])
_AHEAD = timedelta(days=31)
_REJECTED_KEPT = timedelta(days=30)
_BREATH = 500
"""Records sorted between two turns of the event loop."""
_TOGETHER = 4
"""Posts stored in one transaction at most."""
_MOST_WAITING = 40
"""Posts that may wait; each holds some megabytes."""

StoreEvents = Callable[[AsyncSession, Sequence[CarrierEvent]], Awaitable[int]]


@dataclass(slots=True)
class _Post:
    streamed: Streamed
    stored: "asyncio.Future[None]"


class Streams:
    """Everything that is pushed to this process goes through one of these.

    `kept_days`: usage that ended longer ago cannot be told from a repetition any more and is rejected.
    `tell`: seconds in which what is added to a SIM's day is gathered before it is told of.
    """

    def __init__(
        self,
        sessions: Sessions,
        read: StreamReader,
        store_events: StoreEvents,
        *,
        kept_days: int,
        tell: float,
    ) -> None:
        self._sessions, self._read, self._store_events = sessions, read, store_events
        self._kept, self._tell = timedelta(days=kept_days), tell
        self._waiting: list[_Post] = []
        self._turn = asyncio.Lock()

    async def take(self, records: Sequence[object]) -> Streamed:
        """Sort and store; returns when all of it is in Postgres. Raises Unavailable if too much waits."""
        if len(self._waiting) >= _MOST_WAITING:
            raise Unavailable("too many posts are waiting to be stored", code="PUSH_BUSY", retry_after=2)
        post = _Post(await self._sorted(records), asyncio.get_running_loop().create_future())
        del records  # what is sorted takes a tenth of the room, and may have to wait
        self._waiting.append(post)
        async with self._turn:
            while not post.stored.done():
                await self._next()
        post.stored.result()
        return post.streamed

    async def _sorted(self, records: Sequence[object]) -> Streamed:
        now, streamed = datetime.now(UTC), Streamed()
        window = Window(now - self._kept, now + _AHEAD)
        for start in range(0, len(records), _BREATH):
            self._read(records[start : start + _BREATH], window, streamed)
            await asyncio.sleep(0)
        return streamed

    async def _next(self) -> None:
        """Store the posts that wait longest; if that fails for several, each by itself."""
        posts, self._waiting = self._waiting[:_TOGETHER], self._waiting[_TOGETHER:]
        try:
            if not await self._stored(posts) and len(posts) > 1:
                for post in posts:
                    await self._stored([post])
        finally:
            self._waiting[:0] = [post for post in posts if not post.stored.done()]

    async def _stored(self, posts: Sequence[_Post]) -> bool:
        """Store posts in one transaction; False if that failed, which one alone is told."""
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

    async def _write(self, posts: Sequence[Streamed]) -> dict[str, int]:
        usage = [record for post in posts for record in post.usage]
        events = [event for post in posts for event in post.events]
        unreadable = [record for post in posts for record in post.unreadable]
        async with self._sessions.begin() as session:
            stream = StreamRepository(session, tell=self._tell)
            counted = await stream.store(usage)
            usage_changed(session, [record.iccid for record in usage])
            await stream.reject(unreadable)
            new_events = await self._store_events(session, events) if events else 0
        return {
            "stored": counted.stored,
            "unclaimed": counted.unclaimed,
            "repeated": len(usage) - counted.stored + len(events) - new_events,
            "events": new_events,
            "rejected": len(unreadable),
        }


class RejectedService:
    """Records that could not be read, as a scope sees them."""

    def __init__(self, session: AsyncSession, scope: Scope) -> None:
        self._rejected = RejectedRepository(session, scope)

    async def find(self, paging: PageParams) -> Found[RejectedRecord]:
        """One page, newest first."""
        return await self._rejected.page(paging)


async def adopt(session: AsyncSession, iccids: Collection[str] | None = None) -> int:
    """Give usage that came while nobody owned its SIM to today's owner; None: of all SIMs. How many records.

    The usage of their hours and days grows in the same transaction.
    """
    return (await StreamRepository(session, tell=0).adopt(iccids)).stored


async def forget_rejected(session: AsyncSession) -> None:
    """Delete what was rejected long ago."""
    await RejectedRepository(session, EVERYTHING).forget(datetime.now(UTC) - _REJECTED_KEPT)
