"""Jobs that keep quotas and their forecasts near the truth without asking for each of them all the time."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.database import Sessions
from fleet_kit.scope import EVERYTHING
from sim_service.carrier.base import Carrier
from sim_service.carrier.models import Priority, QuotaKind
from sim_service.usage.quotas.models import SimQuota
from sim_service.usage.quotas.repository import QuotaRepository
from sim_service.usage.quotas.service import QuotaService, update_forecasts
from sim_service.usage.quotas.thresholds import wanted_percents
from sim_service.work.jobs.handle import JobLease

_BATCH = 50
_FORECASTS = 500
Name = tuple[str, str]
"""ICCID and kind."""


class _Refresher:
    def __init__(self, sessions: Sessions, carrier: Carrier) -> None:
        self._sessions = sessions
        self._quotas = QuotaService(sessions, EVERYTHING, carrier, fresh=0)

    async def refresh(self, name: Name) -> Mapping[str, int]:
        iccid, kind = name
        await self._quotas.refresh(iccid, QuotaKind(kind), Priority.BACKGROUND)
        return {"refreshed": 1}


class QuotaRefreshJob(_Refresher):
    """The handler of jobs that refresh the quotas whose state has changed by the list of SIMs."""

    async def run(self, lease: JobLease) -> None:
        """Go through them once; a restarted job finds only those that are left."""
        async with self._sessions.begin() as session:
            job = await lease.lock_job(session)
            job.total = job.done + await QuotaRepository(session, lease.scope).count_outdated()
        after = ("", "")
        while True:
            async with self._sessions() as session:
                batch = await QuotaRepository(session, lease.scope).outdated(after=after, limit=_BATCH)
            if not batch:
                return
            await lease.do_each(batch, self.refresh)
            after = batch[-1]


class QuotaForecastJob(_Refresher):
    """The handler of jobs that bring forecasts up to the known usage and ask for quotas that need it.

    Asked for are data quotas that were never asked for, and quotas that are a week old, that are a day old
    and may end within two weeks, or that should have crossed a threshold by now.
    """

    async def run(self, lease: JobLease) -> None:
        """Go through all of them; a restarted job asks only for those that are left."""
        for kind in QuotaKind:
            await self._forecast(lease, kind)
        after = ""
        while True:
            async with self._sessions() as session:
                batch = await QuotaRepository(session, lease.scope).never_fetched(after=after, limit=_BATCH)
            if not batch:
                return
            await lease.do_each([(iccid, QuotaKind.DATA) for iccid in batch], self.refresh)
            after = batch[-1]

    async def _forecast(self, lease: JobLease, kind: QuotaKind) -> None:
        after = ""
        while True:
            async with self._sessions.begin() as session:
                job = await lease.lock_job(session)
                quotas = QuotaRepository(session, lease.scope)
                batch = list(await quotas.batch(kind, after=after, limit=_FORECASTS))
                await update_forecasts(session, batch)
                due = await _due(session, batch, kind)
                job.count(foretold=len(batch))
            if not batch:
                return
            await lease.do_each(due, self.refresh)
            after = batch[-1].iccid


async def _due(session: AsyncSession, batch: Sequence[SimQuota], kind: QuotaKind) -> list[Name]:
    now, due = datetime.now(UTC), []
    for owner in {quota.organization_id for quota in batch}:
        own = [quota for quota in batch if quota.organization_id == owner]
        wanted = await wanted_percents(session, owner, kind, [quota.iccid for quota in own])
        due += [(quota.iccid, kind.value) for quota in own if quota.is_due(now, wanted[quota.iccid])]
    return due
