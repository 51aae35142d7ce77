"""HTTP: what a SIM used."""

from typing import Annotated

from fastapi import APIRouter, Depends

from fleet_kit.principal import CurrentUser, Role
from sim_service.iccid import IccidPath
from sim_service.resources import AppCarrier, AppSessions, AppSettings
from sim_service.usage.schemas import Range, UsageOut, UsageSyncIn, checked
from sim_service.usage.service import UsageService

router = APIRouter(tags=["usage"])


def _usage(
    user: CurrentUser, sessions: AppSessions, carrier: AppCarrier, settings: AppSettings
) -> UsageService:
    return UsageService(sessions, user.scope, carrier, fresh=settings.usage_fresh_seconds)


Usages = Annotated[UsageService, Depends(_usage)]


@router.get("/sims/{iccid}/usage")
async def read_usage(iccid: IccidPath, wanted: Annotated[Range, Depends()], usage: Usages) -> UsageOut:
    """Usage by UTC day with its age; asked of the carrier again when it is old."""
    return UsageOut.of(await usage.read(iccid, wanted.first, wanted.last))


@router.post("/sims/{iccid}/usage/sync")
async def sync_usage(
    iccid: IccidPath, user: CurrentUser, usage: Usages, body: UsageSyncIn | None = None
) -> UsageOut:
    """Ask the carrier for usage now; 503 while it is away."""
    await usage.check(iccid)
    user.require(Role.OPERATOR)
    first, last = checked(body.first, body.last) if body else checked(None, None)
    return UsageOut.of(await usage.read(iccid, first, last, force=True))
