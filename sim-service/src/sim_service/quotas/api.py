"""HTTP: what is left."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends

from fleet_kit.principal import CurrentUser
from sim_service.carrier.facts import QuotaKind
from sim_service.iccid import IccidPath
from sim_service.quotas.schemas import QuotaOut, QuotasOut
from sim_service.quotas.service import QuotaService
from sim_service.resources import AppCarrier, AppSessions, AppSettings

router = APIRouter(tags=["quotas"])


def _quotas(
    user: CurrentUser, sessions: AppSessions, carrier: AppCarrier, settings: AppSettings
) -> QuotaService:
    return QuotaService(sessions, user.scope, carrier, fresh=settings.quota_fresh_seconds)


Quotas = Annotated[QuotaService, Depends(_quotas)]


@router.get("/sims/{iccid}/quota/{kind}")
async def read_quota(iccid: IccidPath, kind: QuotaKind, quotas: Quotas) -> QuotaOut:
    """One quota with its age; asked of the carrier again when it is old."""
    return QuotaOut.of(await quotas.read(iccid, kind))


@router.get("/sims/{iccid}/quotas")
async def read_quotas(iccid: IccidPath, quotas: Quotas) -> QuotasOut:
    """Both quotas with their ages."""
    data, sms = await asyncio.gather(quotas.read(iccid, QuotaKind.DATA), quotas.read(iccid, QuotaKind.SMS))
    return QuotasOut(data=QuotaOut.of(data), sms=QuotaOut.of(sms))
