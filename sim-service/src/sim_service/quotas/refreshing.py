"""Jobs that keep quotas and their forecasts near the truth without asking for each of them all the time."""

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.database import Sessions
from fleet_kit.scope import EVERYTHING
from sim_service.carrier.base import Carrier
from sim_service.carrier.facts import Priority, QuotaKind
from sim_service.jobs.passing import PASSED_OVER, outcome
from sim_service.jobs.runner import Held
from sim_service.quotas.models import SimQuota
from sim_service.quotas.repository import QuotaRepository
from sim_service.quotas.service import QuotaService, count_outdated, foretell, outdated
from sim_service.quotas.thresholds import wanted_percents

_BATCH = 50
_FORECASTS = 500
Name = tuple[str, str]
"""ICCID and kind."""


class _Refresher:
    """Asks for quotas one by one and counts what came of it in the job."""

    def __init__(self, sessions: Sessions, carrier: Carrier) -> None:
        self._sessions = sessions
        self._quotas = QuotaService(sessions, EVERYTHING, carrier, fresh=0)

    async def refresh(self, held: Held, names: Sequence[Name]) -> None:
        """Ask for each; what one SIM's answer spoils is counted and passed over."""
        for iccid, kind in names:
            became = "refreshed"
            try:
                await self._quotas.refresh(iccid, QuotaKind(kind), Priority.BACKGROUND)
            except PASSED_OVER as error:
                became = outcome(error)
            await held.one_done({became: 1})


class QuotaRefresh(_Refresher):
    """The handler of jobs that refresh the quotas whose state has changed by the list of SIMs."""

    async def run(self, held: Held) -> None:
        """Go through them once; a restarted job finds only those that are left."""
        async with self._sessions.begin() as session:
            job = await held.in_transaction(session)
            job.total = job.done + await count_outdated(session, held.scope)
        after = ("", "")
        while True:
            async with self._sessions() as session:
                batch = await outdated(session, held.scope, after, _BATCH)
            if not batch:
                return
            await self.refresh(held, batch)
            after = batch[-1]


class QuotaForecasts(_Refresher):
    """The handler of jobs that bring forecasts up to the known usage and ask for quotas that need it.

    Asked for are data quotas that were never asked for, and quotas that are a week old, that are a day old
    and may end within two weeks, or that should have crossed a threshold by now.
    """

    async def run(self, held: Held) -> None:
        """Go through all of them; a restarted job asks only for those that are left."""
        for kind in QuotaKind:
            await self._foretell(held, kind)
        after = ""
        while True:
            async with self._sessions() as session:
                batch = await QuotaRepository(session, held.scope).never_asked(after=after, limit=_BATCH)
            if not batch:
                return
            await self.refresh(held, [(iccid, QuotaKind.DATA) for iccid in batch])
            after = batch[-1]

    async def _foretell(self, held: Held, kind: QuotaKind) -> None:
        after = ""
        while True:
            async with self._sessions.begin() as session:
                job = await held.in_transaction(session)
                quotas = QuotaRepository(session, held.scope)
                batch = list(await quotas.batch(kind, after=after, limit=_FORECASTS))
                await foretell(session, batch)
                due = await _due(session, batch, kind)
                job.count(foretold=len(batch))
            if not batch:
                return
            await self.refresh(held, due)
            after = batch[-1].iccid


async def _due(session: AsyncSession, batch: Sequence[SimQuota], kind: QuotaKind) -> list[Name]:
    now, due = datetime.now(UTC), []
    for owner in {quota.organization_id for quota in batch}:
        own = [quota for quota in batch if quota.organization_id == owner]
        wanted = await wanted_percents(session, owner, kind, [quota.iccid for quota in own])
        due += [(quota.iccid, kind.value) for quota in own if quota.is_due(now, wanted[quota.iccid])]
    return due
