"""The rules of quotas: read again when old; each crossing of a threshold is published once."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.database import Sessions
from fleet_kit.errors import FleetError
from fleet_kit.keyset_pagination import PageResult
from fleet_kit.outbox import Outbox
from fleet_kit.pagination import PageParams
from fleet_kit.scope import EVERYTHING, Scope
from sim_service.carrier.base import Carrier
from sim_service.carrier.freshness import Known, read_through
from sim_service.carrier.models import CarrierQuota, Priority, QuotaKind
from sim_service.inventory.sims.service import SimService, owner_of
from sim_service.usage.quotas import events
from sim_service.usage.quotas.forecast import BASIS_DAYS, forecast
from sim_service.usage.quotas.models import SimQuota
from sim_service.usage.quotas.repository import QuotaRepository
from sim_service.usage.quotas.schemas import QuotaQuery
from sim_service.usage.quotas.thresholds import wanted_percents
from sim_service.usage.quotas.usage_history import histories
from sim_service.usage.sim_usage.service import UsageService

_USAGE_FRESH_SECONDS = 86_400.0
"""A forecast needs whole days: usage asked for within a day is good enough for it."""


class QuotaService:
    """Quotas as one organisation sees them. `fresh`: seconds for which a quota is not asked for again."""

    def __init__(self, sessions: Sessions, scope: Scope, carrier: Carrier, *, fresh: float) -> None:
        self._sessions, self._scope, self._carrier = sessions, scope, carrier
        self._fresh = timedelta(seconds=fresh)
        self._usage = UsageService(sessions, scope, carrier, fresh=_USAGE_FRESH_SECONDS)

    async def read(self, iccid: str, kind: QuotaKind) -> Known[SimQuota]:
        """The quota, newly asked for where it is old; what is known where the carrier cannot be asked."""
        known = await self._known(iccid, kind)

        async def refresh() -> Known[SimQuota]:
            return _aged(await self.refresh(iccid, kind, Priority.INTERACTIVE))

        return await read_through(_aged(known) if known else None, self._fresh, refresh)

    async def read_with_forecast(self, iccid: str, *kinds: QuotaKind) -> list[Known[SimQuota]]:
        """Like `read`, with forecasts from usage that is at most a day old where the carrier can be asked."""
        usage = asyncio.ensure_future(self._know_usage(iccid))
        try:
            read = await asyncio.gather(*(self.read(iccid, kind) for kind in kinds))
        finally:
            await usage
        async with self._sessions.begin() as session:
            return [await self._with_forecast(session, known) for known in read]

    async def _with_forecast(self, session: AsyncSession, known: Known[SimQuota]) -> Known[SimQuota]:
        name = known.value.iccid, QuotaKind(known.value.kind)
        quota = await QuotaRepository(session, self._scope).get(*name)
        if quota is None:
            return known
        await update_forecasts(session, [quota])
        return Known(quota, quota.fetched_at, known.failure)

    async def refresh(self, iccid: str, kind: QuotaKind, priority: Priority) -> SimQuota:
        """Ask the carrier and keep its answer; raises its errors."""
        facts = await self._carrier.quota(iccid, kind, priority=priority)
        async with self._sessions.begin() as session:
            return await _keep(session, self._scope, iccid, facts)

    async def refresh_with_forecast(self, iccid: str, kind: QuotaKind, priority: Priority) -> SimQuota:
        """Like `refresh`; where usage was never asked for, it is asked for too, as far as it can be had."""
        quota = await self.refresh(iccid, kind, priority)
        if quota.basis_days:
            return quota
        since = datetime.now(UTC).date() - timedelta(days=BASIS_DAYS)
        with suppress(FleetError):
            await self._usage.refresh(iccid, quota.organization_id, since, priority)
        async with self._sessions.begin() as session:
            return (await self._with_forecast(session, _aged(quota))).value

    async def find(self, wanted: QuotaQuery, paging: PageParams) -> PageResult[SimQuota]:
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
        """Whether the last sync found quota states that differ from the stored ones."""
        return bool(await QuotaRepository(session, EVERYTHING).outdated(after=("", ""), limit=1))


async def forget_quotas(session: AsyncSession, scope: Scope, iccids: Sequence[str]) -> None:
    """Delete the quotas of SIMs that are released: their next owner reads them anew."""
    await QuotaRepository(session, scope).forget(iccids)


async def update_forecasts(session: AsyncSession, quotas: list[SimQuota]) -> None:
    """Bring the forecasts of quotas, all of one kind, up to what is known of usage."""
    if not quotas:
        return
    used = await histories(session, [quota.iccid for quota in quotas], QuotaKind(quotas[0].kind))
    for quota in quotas:
        quota.apply_forecast(forecast(float(quota.remaining), quota.fetched_at, used[quota.iccid]))
    await session.flush()


def _aged(quota: SimQuota) -> Known[SimQuota]:
    return Known(quota, quota.fetched_at)


async def _keep(session: AsyncSession, scope: Scope, iccid: str, facts: CarrierQuota) -> SimQuota:
    """Store under the SIM's lock, so that two refreshes at once publish a crossing once."""
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
    quota.update_from_carrier(facts, own[iccid])
    await session.flush()
    await update_forecasts(session, [quota])
    await Outbox(session).add(*events.crossings(quota, before))
    return quota
