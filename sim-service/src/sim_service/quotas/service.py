"""The rules of quotas: answered from what is known, asked for again when old, told of once per crossing."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.database import Sessions
from fleet_kit.errors import FleetError
from fleet_kit.keyset import Found
from fleet_kit.outbox import Outbox
from fleet_kit.pagination import PageParams
from fleet_kit.scope import EVERYTHING, Scope
from sim_service.carrier.base import Carrier
from sim_service.carrier.facts import CarrierQuota, Priority, QuotaKind
from sim_service.freshness import SERVE_KNOWN, Known
from sim_service.quotas import events
from sim_service.quotas.forecast import BASIS_DAYS, forecast
from sim_service.quotas.history import histories
from sim_service.quotas.models import SimQuota
from sim_service.quotas.repository import QuotaFilter, QuotaRepository
from sim_service.quotas.thresholds import wanted_percents
from sim_service.sims.service import SimService, owner_of
from sim_service.usage.service import UsageService

_USAGE_FRESH_SECONDS = 86_400.0
"""A forecast needs whole days: usage asked for within a day is good enough for it."""
_SETTLED = timedelta(minutes=15)
"""The list of SIMs may lag behind a quota: one asked for more recently than this is not asked for again."""


class QuotaService:
    """Quotas as one organisation sees them. `fresh`: seconds for which a quota is not asked for again."""

    def __init__(self, sessions: Sessions, scope: Scope, carrier: Carrier, *, fresh: float) -> None:
        self._sessions, self._scope, self._carrier = sessions, scope, carrier
        self._fresh = timedelta(seconds=fresh)
        self._usage = UsageService(sessions, scope, carrier, fresh=_USAGE_FRESH_SECONDS)

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

    async def foreseen(self, iccid: str, *kinds: QuotaKind) -> list[Known[SimQuota]]:
        """Like `read`, with forecasts from usage that is at most a day old where the carrier tells it."""
        usage = asyncio.ensure_future(self._know_usage(iccid))
        try:
            read = await asyncio.gather(*(self.read(iccid, kind) for kind in kinds))
        finally:
            await usage
        async with self._sessions.begin() as session:
            return [await self._foretold(session, known) for known in read]

    async def _foretold(self, session: AsyncSession, known: Known[SimQuota]) -> Known[SimQuota]:
        name = known.value.iccid, QuotaKind(known.value.kind)
        quota = await QuotaRepository(session, self._scope).get(*name)
        if quota is None:
            return known
        await foretell(session, [quota])
        return Known(quota, quota.fetched_at, known.failure)

    async def refresh(self, iccid: str, kind: QuotaKind, priority: Priority) -> SimQuota:
        """Ask the carrier and keep its answer; raises its errors."""
        facts = await self._carrier.quota(iccid, kind, priority=priority)
        async with self._sessions.begin() as session:
            return await _keep(session, self._scope, iccid, facts)

    async def renew(self, iccid: str, kind: QuotaKind, priority: Priority) -> SimQuota:
        """Like `refresh`; where usage was never asked for, it is asked for too, as far as it can be had."""
        quota = await self.refresh(iccid, kind, priority)
        if quota.basis_days:
            return quota
        since = datetime.now(UTC).date() - timedelta(days=BASIS_DAYS)
        with suppress(FleetError):
            await self._usage.refresh(iccid, quota.organization_id, since, priority)
        async with self._sessions.begin() as session:
            return (await self._foretold(session, Known(quota, quota.fetched_at))).value

    async def find(self, wanted: QuotaFilter, paging: PageParams) -> Found[SimQuota]:
        """A page of the kept quotas, those first that end first."""
        async with self._sessions() as session:
            return await QuotaRepository(session, self._scope).page(wanted, paging)

    async def _known(self, iccid: str, kind: QuotaKind) -> SimQuota | None:
        async with self._sessions() as session:
            owner_of(await SimService(session, self._scope).get(iccid))
            return await QuotaRepository(session, self._scope).get(iccid, kind)

    async def _know_usage(self, iccid: str) -> None:
        today = datetime.now(UTC).date()
        with suppress(FleetError):
            await self._usage.read(iccid, today - timedelta(days=BASIS_DAYS), today)

    @staticmethod
    async def outdated_exist(session: AsyncSession) -> bool:
        """Whether the last sync tells of quota states that the kept quotas do not have."""
        return bool(await outdated(session, EVERYTHING, ("", ""), 1))


async def outdated(
    session: AsyncSession, scope: Scope, after: tuple[str, str], limit: int
) -> list[tuple[str, str]]:
    """(ICCID, kind) behind `after` of quotas whose state has changed by the list of SIMs."""
    settled = datetime.now(UTC) - _SETTLED
    found = await QuotaRepository(session, scope).outdated(fetched_before=settled, after=after, limit=limit)
    return list(found)


async def count_outdated(session: AsyncSession, scope: Scope) -> int:
    """How many quotas that are."""
    settled = datetime.now(UTC) - _SETTLED
    return await QuotaRepository(session, scope).count_outdated(fetched_before=settled)


async def foretell(session: AsyncSession, quotas: list[SimQuota]) -> None:
    """Bring the forecasts of quotas, all of one kind, up to what is known of usage."""
    if not quotas:
        return
    used = await histories(session, [quota.iccid for quota in quotas], QuotaKind(quotas[0].kind))
    for quota in quotas:
        quota.foretell(forecast(float(quota.remaining), quota.fetched_at, used[quota.iccid]))
    await session.flush()


async def _keep(session: AsyncSession, scope: Scope, iccid: str, facts: CarrierQuota) -> SimQuota:
    """Store under the SIM's lock, so that two refreshes at once tell of a crossing once."""
    sim = await SimService(session, scope).get(iccid, for_update=True)
    owner = owner_of(sim)
    quotas = QuotaRepository(session, EVERYTHING)
    quota = await quotas.get(iccid, facts.kind)
    own = await wanted_percents(session, owner, facts.kind, [iccid])
    before = quota.state if quota is not None and quota.organization_id == owner else None
    if quota is None:
        quota = SimQuota(iccid=iccid, kind=facts.kind)
        quotas.add(quota)
    quota.organization_id = owner
    quota.take_over(facts, own[iccid])
    await session.flush()
    await foretell(session, [quota])
    await Outbox(session).add(*events.crossings(quota, before))
    return quota
