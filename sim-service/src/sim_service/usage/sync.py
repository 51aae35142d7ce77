"""The job that asks the carrier for the usage of all SIMs."""

import asyncio
from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID

from fleet_kit.database import Sessions
from fleet_kit.scope import EVERYTHING
from sim_service.carrier.base import Carrier
from sim_service.jobs.passing import PASSED_OVER, outcome
from sim_service.jobs.runner import Held
from sim_service.usage.repository import PollRepository
from sim_service.usage.service import UsageService

_BATCH = 100


class UsageSync:
    """The handler of jobs that sync usage; what one SIM's answer spoils is counted and passed over.

    `parallel`: SIMs in flight; the carrier's rate limit holds whatever it is. `streamed_every`: seconds for
    which a SIM that the streamer covers is left alone: long enough that its days are settled once.
    """

    def __init__(self, sessions: Sessions, carrier: Carrier, *, parallel: int, streamed_every: float) -> None:
        self._sessions, self._parallel = sessions, parallel
        self._streamed_every = timedelta(seconds=streamed_every)
        self._usage = UsageService(sessions, EVERYTHING, carrier, fresh=0)

    async def run(self, held: Held) -> None:
        """Go through the SIMs once; a restarted job finds only those that are left."""
        async with self._sessions.begin() as session:
            job = await held.in_transaction(session)
            began = job.created_at
            left = await PollRepository(session, held.scope).count(began, began - self._streamed_every)
            job.total = job.done + left
        after = ""
        while batch := await self._due(held, began, after):
            await self._all(held, batch)
            after = batch[-1][0]

    async def _due(self, held: Held, began: datetime, after: str) -> list[tuple[str, UUID]]:
        async with self._sessions() as session:
            polls = PollRepository(session, held.scope)
            found = await polls.due(began, began - self._streamed_every, after=after, limit=_BATCH)
        return list(found)

    async def _all(self, held: Held, batch: list[tuple[str, UUID]]) -> None:
        waiting = iter(batch)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self._parallel):
                    group.create_task(self._follow(held, waiting))
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None

    async def _follow(self, held: Held, waiting: Iterator[tuple[str, UUID]]) -> None:
        for iccid, owner in waiting:
            became = "synced"
            try:
                await self._usage.poll(iccid, owner)
            except PASSED_OVER as error:
                became = outcome(error)
            await held.one_done({became: 1})
