"""The handler of cleanup jobs: old rows go, table by table, in transactions of bounded size."""

from collections.abc import Awaitable, Callable, Mapping

from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.database import Sessions
from sim_service.work.jobs.handle import JobLease

Rule = Callable[[AsyncSession], Awaitable[int]]
"""Deletes some old rows of one table in the transaction; returns how many, 0 when none is left."""


class Cleanup:
    """Works on cleanup jobs. `rules`: what is forgotten, by the name that the job's result gives it."""

    def __init__(self, sessions: Sessions, rules: Mapping[str, Rule]) -> None:
        self._sessions, self._rules = sessions, rules

    async def run(self, lease: JobLease) -> None:
        """Follow every rule once; a restarted job finds only what is left."""
        for name, rule in self._rules.items():
            while await self._delete_batch(lease, name, rule):
                pass
            async with self._sessions.begin() as session:
                job = await lease.lock_job(session)
                job.done, job.total = min(job.done + 1, len(self._rules)), len(self._rules)

    async def _delete_batch(self, lease: JobLease, name: str, rule: Rule) -> int:
        async with self._sessions.begin() as session:
            job = await lease.lock_job(session)
            number = await rule(session)
            job.count(**{name: number})
        return number
