"""HTTP: what a SIM used."""

from typing import Annotated

from fastapi import APIRouter, Depends

from fleet_kit.principal import CurrentUser, Role
from sim_service.carrier.dependencies import AppCarrier
from sim_service.carrier.freshness import age_if_fresh
from sim_service.inventory.sims.cache_tags import ALL_USAGE, sim_tag, usage_tag
from sim_service.platform.cache.service import CachedQuery, CachedRead
from sim_service.platform.dependencies import AppCache, AppSessions, AppSettings
from sim_service.platform.iccid_path import IccidPath
from sim_service.usage.sim_usage.cost import Prices
from sim_service.usage.sim_usage.ranges import Interval, Range, checked
from sim_service.usage.sim_usage.schemas import UsageByHourOut, UsageOut, UsageSyncIn
from sim_service.usage.sim_usage.service import UsageService

router = APIRouter(tags=["usage"])


async def _usage(
    user: CurrentUser, sessions: AppSessions, carrier: AppCarrier, settings: AppSettings
) -> UsageService:
    return UsageService(sessions, user.scope, carrier, fresh=settings.usage_fresh_seconds)


async def _prices(settings: AppSettings) -> Prices:
    return Prices(settings.usage_price_per_mb, settings.usage_price_per_sms, settings.usage_currency)


Usages = Annotated[UsageService, Depends(_usage)]
AppPrices = Annotated[Prices, Depends(_prices)]


@router.get("/sims/{iccid}/usage")
async def read_usage(
    iccid: IccidPath, wanted: Range, user: CurrentUser, usage: Usages, prices: AppPrices, cache: AppCache
) -> UsageOut | UsageByHourOut:
    """Usage by UTC day with its age, asked of the carrier again when it is old; or by hour, as streamed."""
    span = wanted.span
    if wanted.interval is Interval.HOUR:
        return UsageByHourOut.of(iccid, span, await usage.by_hour(iccid, span), prices)

    async def load() -> UsageOut:
        return UsageOut.of(await usage.read(iccid, span.first, span.last), prices)

    asked = f"{iccid} {span.first} {span.last}"
    tags = [sim_tag(iccid), usage_tag(iccid), ALL_USAGE]
    return await cache.get(
        CachedQuery(CachedRead.USAGE, user.scope, asked, UsageOut, load, tags, age_if_fresh)
    )


@router.post("/sims/{iccid}/usage/sync")
async def sync_usage(
    iccid: IccidPath,
    user: CurrentUser,
    usage: Usages,
    settings: AppSettings,
    prices: AppPrices,
    body: UsageSyncIn | None = None,
) -> UsageOut:
    """Ask the carrier for usage now; 503 while it is away."""
    await usage.check(iccid)
    user.require(Role.OPERATOR)
    wanted = body or UsageSyncIn()
    span = checked(wanted.first, wanted.last, kept=settings.usage_days_kept)
    return UsageOut.of(await usage.read(iccid, span.first, span.last, force=True), prices)
