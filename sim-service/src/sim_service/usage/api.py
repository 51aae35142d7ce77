"""HTTP: what a SIM used."""

from typing import Annotated

from fastapi import APIRouter, Depends

from fleet_kit.principal import CurrentUser, Role
from sim_service.cache.service import Question, Read
from sim_service.freshness import age_if_fresh
from sim_service.iccid_path import IccidPath
from sim_service.resources import AppCache, AppCarrier, AppSessions, AppSettings
from sim_service.usage.cost import Prices
from sim_service.usage.ranges import Interval, Range, checked
from sim_service.usage.schemas import UsageByHourOut, UsageOut, UsageSyncIn
from sim_service.usage.service import UsageService

router = APIRouter(tags=["usage"])


def _usage(
    user: CurrentUser, sessions: AppSessions, carrier: AppCarrier, settings: AppSettings
) -> UsageService:
    return UsageService(sessions, user.scope, carrier, fresh=settings.usage_fresh_seconds)


def _prices(settings: AppSettings) -> Prices:
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

    asked = f"{span.first} {span.last}"
    return await cache.ask(
        Question(Read.USAGE, user.scope, asked, UsageOut, load, iccid=iccid, age=age_if_fresh)
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
