"""HTTP: ask for a sync of all SIMs, or of one."""

from fastapi import APIRouter, Response

from fleet_kit.database import DbSession
from fleet_kit.principal import CurrentOperator, CurrentUser, Role
from sim_service.carrier.dependencies import AppCarrier
from sim_service.inventory.sims.schemas import SimOut
from sim_service.inventory.sync.service import SingleSimSync
from sim_service.platform.dependencies import AppSessions, AppSettings
from sim_service.platform.iccid_path import IccidPath
from sim_service.work.jobs.api import location
from sim_service.work.jobs.models import JobKind
from sim_service.work.jobs.schemas import JobOut
from sim_service.work.jobs.service import JobService

router = APIRouter(tags=["sync"])


@router.post("/sims/sync-all", status_code=202)
async def sync_all(
    user: CurrentOperator, session: DbSession, settings: AppSettings, response: Response
) -> JobOut:
    """Have the worker sync all SIMs: the open job, the last one while it is young, or a new one.

    It is young for SYNC_MIN_SECONDS after its end; the platform administrator need not wait.
    """
    jobs = JobService(session, user.scope)
    job = await jobs.request_sync(JobKind.SYNC_SIMS, user, pause=settings.sync_min_seconds)
    response.headers["Location"] = location(job.id)
    return JobOut.of(job, user)


@router.post("/sims/{iccid}/sync")
async def sync_one(
    iccid: IccidPath, user: CurrentUser, sessions: AppSessions, carrier: AppCarrier, settings: AppSettings
) -> SimOut:
    """Ask the carrier for one SIM now; 503 while it is away."""
    new = settings.carrier_default_organization
    sync = SingleSimSync(sessions, user.scope, carrier, owner_of_new=new)
    await sync.check(iccid)
    user.require(Role.OPERATOR)
    return SimOut.of(await sync.run(iccid), None)
