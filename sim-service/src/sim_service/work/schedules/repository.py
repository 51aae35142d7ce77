from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from sim_service.work.jobs.models import JobKind
from sim_service.work.schedules.models import JobSchedule

_LOCK = 7_301_002
"""Advisory lock: of two replicas that check at once, the second sees what the first requested."""


class ScheduleRepository:
    """Schedules are the account's: there is one set of them for all organisations."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def changed(self) -> dict[str, JobSchedule]:
        return {row.kind: row for row in await self._session.scalars(select(JobSchedule))}

    async def for_change(self, kind: JobKind) -> JobSchedule:
        """The row of a kind, locked; a new one if nothing was changed so far."""
        await self.lock()
        row = await self._session.get(JobSchedule, kind)
        if row is None:
            row = JobSchedule(kind=kind, paused=False)
            self._session.add(row)
        return row

    async def lock(self) -> None:
        await self._session.execute(select(func.pg_advisory_xact_lock(_LOCK)))
