"""HTTP: what is left, until when, and when that is too little."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from fleet_kit.database import DbSession
from fleet_kit.pagination import Page, Paging
from fleet_kit.principal import CurrentAdmin, CurrentUser, Role
from sim_service.carrier.dependencies import AppCarrier
from sim_service.carrier.freshness import age_if_fresh
from sim_service.carrier.models import QuotaKind
from sim_service.inventory.sims.cache_tags import quota_tag, sim_tag
from sim_service.platform.cache.service import CachedQuery, CachedRead
from sim_service.platform.dependencies import AppCache, AppSessions, AppSettings
from sim_service.platform.iccid_path import IccidPath
from sim_service.usage.quotas.schemas import QuotaOut, QuotaQuery, QuotasOut, ThresholdsIn, ThresholdsOut
from sim_service.usage.quotas.service import QuotaService
from sim_service.usage.quotas.thresholds import ThresholdService

router = APIRouter(tags=["quotas"])


async def _quotas(
    user: CurrentUser, sessions: AppSessions, carrier: AppCarrier, settings: AppSettings
) -> QuotaService:
    return QuotaService(sessions, user.scope, carrier, fresh=settings.quota_fresh_seconds)


async def _thresholds(user: CurrentUser, session: DbSession) -> ThresholdService:
    return ThresholdService(session, user.scope)


Quotas = Annotated[QuotaService, Depends(_quotas)]
OwnThresholds = Annotated[ThresholdService, Depends(_thresholds)]


@router.get("/sims/quotas")
async def list_quotas(
    quotas: Quotas, paging: Paging, query: Annotated[QuotaQuery, Query()]
) -> Page[QuotaOut]:
    """The organisation's quotas as they were last read, those first that end first."""
    found = await quotas.find(query, paging)
    return found.to_page(QuotaOut.of_stored, paging)


@router.get("/sims/quota-thresholds")
async def read_thresholds(user: CurrentUser, thresholds: OwnThresholds) -> ThresholdsOut:
    """The organisation's own thresholds."""
    return await thresholds.read(user.organization_id)


@router.put("/sims/quota-thresholds")
async def write_thresholds(
    body: ThresholdsIn, user: CurrentAdmin, thresholds: OwnThresholds
) -> ThresholdsOut:
    """Set the organisation's own thresholds; quotas follow as they are read again."""
    await thresholds.write(user.organization_id, body)
    return await thresholds.read(user.organization_id)


@router.get("/sims/{iccid}/quota/{kind}")
async def read_quota(
    iccid: IccidPath, kind: QuotaKind, user: CurrentUser, quotas: Quotas, cache: AppCache
) -> QuotaOut:
    """One quota with its age and forecast; asked of the carrier again when it is old."""

    async def load() -> QuotaOut:
        (known,) = await quotas.read_with_forecast(iccid, kind)
        return QuotaOut.of(known)

    tags, asked = [sim_tag(iccid), quota_tag(iccid)], f"{iccid} {kind}"
    return await cache.get(
        CachedQuery(CachedRead.QUOTA, user.scope, asked, QuotaOut, load, tags, age_if_fresh)
    )


@router.get("/sims/{iccid}/quotas")
async def read_quotas(iccid: IccidPath, user: CurrentUser, quotas: Quotas, cache: AppCache) -> QuotasOut:
    """Both quotas with their ages and forecasts."""

    async def load() -> QuotasOut:
        data, sms = await quotas.read_with_forecast(iccid, QuotaKind.DATA, QuotaKind.SMS)
        return QuotasOut(data=QuotaOut.of(data), sms=QuotaOut.of(sms))

    tags, asked = [sim_tag(iccid), quota_tag(iccid)], f"{iccid} both"
    return await cache.get(
        CachedQuery(CachedRead.QUOTA, user.scope, asked, QuotasOut, load, tags, _older_of_both)
    )


def _older_of_both(shown: QuotasOut) -> float | None:
    data, sms = age_if_fresh(shown.data), age_if_fresh(shown.sms)
    return None if data is None or sms is None else max(data, sms)


@router.get("/sims/{iccid}/quota-thresholds")
async def read_sim_thresholds(iccid: IccidPath, thresholds: OwnThresholds) -> ThresholdsOut:
    """The SIM's own thresholds."""
    return await thresholds.read(await thresholds.owner(iccid), iccid)


@router.put("/sims/{iccid}/quota-thresholds")
async def write_sim_thresholds(
    iccid: IccidPath, body: ThresholdsIn, user: CurrentUser, thresholds: OwnThresholds
) -> ThresholdsOut:
    """Set the SIM's own thresholds, which go before its organisation's."""
    owner = await thresholds.owner(iccid)
    user.require(Role.OPERATOR)
    await thresholds.write(owner, body, iccid)
    return await thresholds.read(owner, iccid)
