"""The rules of quotas: answered from what is known, asked for again when old, told of once per crossing."""

from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.database import Sessions
from fleet_kit.outbox import Outbox
from fleet_kit.scope import EVERYTHING, Scope
from sim_service.carrier.base import Carrier
from sim_service.carrier.errors import CarrierSimNotFound
from sim_service.carrier.facts import CarrierQuota, Priority, QuotaKind
from sim_service.freshness import SERVE_KNOWN, Known
from sim_service.jobs.runner import Held
from sim_service.quotas import events
from sim_service.quotas.models import SimQuota
from sim_service.quotas.repository import QuotaRepository
from sim_service.sims.service import SimService, owner_of

_BATCH = 50
_SETTLED = timedelta(minutes=15)
"""The list of SIMs may lag behind a quota: one asked for more recently than this is not asked for again."""


class QuotaService:
    """Quotas as one organisation sees them. `fresh`: seconds for which a quota is not asked for again."""

    def __init__(self, sessions: Sessions, scope: Scope, carrier: Carrier, *, fresh: float) -> None:
        self._sessions, self._scope, self._carrier = sessions, scope, carrier
        self._fresh = timedelta(seconds=fresh)

    async def read(self, iccid: str, kind: QuotaKind) -> Known[SimQuota]:
        """The quota, newly asked for where it is old; what is known where the carrier cannot be asked."""
        known = await self._known(iccid, kind)
        if known is not None and datetime.now(UTC) - known.fetched_at < self._fresh:
            return Known(known, known.fetched_at)
        try:
            fresh = await self.refresh(iccid, kind, Priority.PEOPLE)
        except SERVE_KNOWN as failure:
            if known is None:
                raise
            return Known(known, known.fetched_at, failure)
        return Known(fresh, fresh.fetched_at)

    async def refresh(self, iccid: str, kind: QuotaKind, priority: Priority) -> SimQuota:
        """Ask the carrier and keep its answer; raises its errors."""
        facts = await self._carrier.quota(iccid, kind, priority=priority)
        async with self._sessions.begin() as session:
            return await _keep(session, self._scope, iccid, facts)

    async def _known(self, iccid: str, kind: QuotaKind) -> SimQuota | None:
        async with self._sessions() as session:
            owner_of(await SimService(session, self._scope).get(iccid))
            return await QuotaRepository(session, self._scope).get(iccid, kind)

    @staticmethod
    async def outdated_exist(session: AsyncSession) -> bool:
        """Whether the last sync tells of quota states that the kept quotas do not have."""
        return bool(await _outdated(session, EVERYTHING, ("", ""), 1))


class QuotaRefresh:
    """The handler of jobs that refresh the quotas whose state has changed by the list of SIMs."""

    def __init__(self, sessions: Sessions, carrier: Carrier) -> None:
        self._sessions = sessions
        self._quotas = QuotaService(sessions, EVERYTHING, carrier, fresh=0)

    async def run(self, held: Held) -> None:
        """Go through them once; a restarted job finds only those that are left."""
        after = ("", "")
        while True:
            async with self._sessions() as session:
                batch = await _outdated(session, held.scope, after, _BATCH)
            if not batch:
                return
            for iccid, kind in batch:
                await self._one(held, iccid, QuotaKind(kind))
            after = batch[-1]

    async def _one(self, held: Held, iccid: str, kind: QuotaKind) -> None:
        outcome = "refreshed"
        try:
            await self._quotas.refresh(iccid, kind, Priority.BACKGROUND)
        except CarrierSimNotFound:
            outcome = "not_found"
        async with self._sessions.begin() as session:
            job = await held.in_transaction(session)
            job.done += 1
            job.count(**{outcome: 1})


async def _keep(session: AsyncSession, scope: Scope, iccid: str, facts: CarrierQuota) -> SimQuota:
    """Store under the SIM's lock, so that two refreshes at once tell of a crossing once."""
    sim = await SimService(session, scope).get(iccid, for_update=True)
    owner = owner_of(sim)
    quotas = QuotaRepository(session, EVERYTHING)
    quota = await quotas.get(iccid, facts.kind)
    before = quota.state if quota is not None and quota.organization_id == owner else None
    if quota is None:
        quota = SimQuota(iccid=iccid, kind=facts.kind)
        quotas.add(quota)
    quota.organization_id = owner
    quota.take_over(facts)
    await session.flush()
    await Outbox(session).add(*events.crossings(quota, before))
    return quota


async def _outdated(
    session: AsyncSession, scope: Scope, after: tuple[str, str], limit: int
) -> list[tuple[str, str]]:
    settled = datetime.now(UTC) - _SETTLED
    found = await QuotaRepository(session, scope).outdated(fetched_before=settled, after=after, limit=limit)
    return list(found)
