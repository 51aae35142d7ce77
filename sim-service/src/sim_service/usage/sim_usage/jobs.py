"""The job that asks the carrier for the usage of all SIMs."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from fleet_kit.database import Sessions
from fleet_kit.scope import EVERYTHING
from sim_service.carrier.base import Carrier
from sim_service.usage.sim_usage.repository import PollRepository
from sim_service.usage.sim_usage.service import UsageService
from sim_service.work.jobs.handle import JobLease

_BATCH = 100


class UsageSyncJob:
    """The handler of jobs that sync usage; what one SIM's answer spoils is counted and passed over.

    `parallel`: SIMs in flight; the carrier's rate limit holds whatever it is. `streamed_every`: seconds for
    which a SIM that the streamer covers is left alone: long enough that its days are settled once.
    """

    def __init__(self, sessions: Sessions, carrier: Carrier, *, parallel: int, streamed_every: float) -> None:
        self._sessions, self._parallel = sessions, parallel
        self._streamed_every = timedelta(seconds=streamed_every)
        self._usage = UsageService(sessions, EVERYTHING, carrier, fresh=0)

    async def run(self, lease: JobLease) -> None:
        """Go through the SIMs once; a restarted job finds only those that are left."""
        async with self._sessions.begin() as session:
            job = await lease.lock_job(session)
            began = job.created_at
            left = await PollRepository(session, lease.scope).count(began, began - self._streamed_every)
            job.total = job.done + left
        after = ""
        while batch := await self._due(lease, began, after):
            await self._all(lease, batch)
            after = batch[-1][0]

    async def _due(self, lease: JobLease, began: datetime, after: str) -> Sequence[tuple[str, UUID]]:
        async with self._sessions() as session:
            polls = PollRepository(session, lease.scope)
            return await polls.due(began, began - self._streamed_every, after=after, limit=_BATCH)

    async def _all(self, lease: JobLease, batch: Sequence[tuple[str, UUID]]) -> None:
        waiting = iter(batch)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self._parallel):
                    group.create_task(lease.do_each(waiting, self._poll))
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None

    async def _poll(self, sim: tuple[str, UUID]) -> Mapping[str, int]:
        await self._usage.poll(*sim)
        return {"synced": 1}
