"""The look: finds what is due in Postgres and sees to it that some worker has it.

With the broker each job found is told of once, and a worker that has room begins with it. What nobody has
begun with a little later, because the hint was lost or came to a busy worker, is begun directly by whoever
has room. Without the broker all jobs go that way.
"""

import asyncio
from collections.abc import Collection, Sequence
from datetime import timedelta
from uuid import UUID

import structlog
from prometheus_client import Counter
from sqlalchemy.exc import SQLAlchemyError

from fleet_kit.database import Sessions
from fleet_kit.scope import EVERYTHING
from sim_service.dispatch.hints import Hints, NoHints
from sim_service.dispatch.pool import JobPool
from sim_service.jobs.kinds import KINDS
from sim_service.jobs.models import JobKind
from sim_service.jobs.repository import JobRepository

log = structlog.get_logger(__name__)

DISPATCHED = Counter("sim_jobs_dispatched_total", "Jobs found due, by the way they were given out.", ["way"])
_LOOK_SECONDS = 0.5
_LOST_AFTER = timedelta(seconds=2)
_BATCH = 100


class Dispatcher:
    """Gives out jobs that are due."""

    def __init__(self, sessions: Sessions, hints: Hints, pool: JobPool) -> None:
        self._sessions, self._hints, self._pool = sessions, hints, pool

    async def run(self) -> None:
        """Look until cancelled; a database that is away is waited for."""
        while True:
            try:
                await self.look()
            except (SQLAlchemyError, OSError, TimeoutError) as error:
                log.warning("the database is away", error=repr(error))
            await asyncio.sleep(_LOOK_SECONDS)

    async def look(self) -> None:
        """Tell of what is due, and begin with what nobody has begun with."""
        told = await self._tell() if self._hints.connected else False
        lost_after = _LOST_AFTER if told else timedelta(0)
        for kinds, room in self._pool.room.items():
            for job_id, kind in await self._due(kinds, not told, lost_after, room) if room else ():
                self._pool.offer(job_id, JobKind(kind))
                DISPATCHED.labels("direct").inc()

    async def _tell(self) -> bool:
        """Whether the broker took all hints."""
        try:
            for job_id, kind in await self._due(tuple(KINDS), True, None, _BATCH):
                await self._hints.job_due(job_id, JobKind(kind))
                DISPATCHED.labels("broker").inc()
        except NoHints as error:
            log.warning("the broker took no hint", error=str(error))
            return False
        return True

    async def _due(
        self, kinds: Collection[JobKind], new: bool, lost_after: timedelta | None, limit: int
    ) -> Sequence[tuple[UUID, str]]:
        async with self._sessions.begin() as session:
            jobs = JobRepository(session, EVERYTHING)
            return await jobs.announce(kinds, new=new, lost_after=lost_after, limit=limit)
