"""HTTP: put a SIM into a device, take it out."""

from fastapi import APIRouter

from fleet_kit.database import DbSession
from fleet_kit.errors import Conflict
from fleet_kit.openapi import raises
from fleet_kit.principal import CurrentUser, Role
from sim_service.inventory.links.schemas import LinkIn
from sim_service.inventory.links.service import LinkService
from sim_service.inventory.sims.schemas import SimOut
from sim_service.inventory.sims.service import SimService
from sim_service.platform.iccid_path import IccidPath
from sim_service.work.jobs.models import JobKind
from sim_service.work.jobs.service import JobService

router = APIRouter(tags=["sims"])


@router.put("/sims/{iccid}/device")
@raises(Conflict)
async def link_device(iccid: IccidPath, body: LinkIn, user: CurrentUser, session: DbSession) -> SimOut:
    """Put the SIM into a device of the same organisation; a device has one SIM, else 409."""
    await SimService(session, user.scope).get(iccid)
    user.require(Role.OPERATOR)
    sim = await LinkService(session, user.scope).put(iccid, body.device_id)
    return SimOut.of(sim, await JobService(session).last_success(JobKind.SYNC_SIMS))


@router.delete("/sims/{iccid}/device", status_code=204)
@raises(Conflict)
async def unlink_device(iccid: IccidPath, user: CurrentUser, session: DbSession) -> None:
    """Take the SIM out of its device; repeating it changes nothing."""
    await SimService(session, user.scope).get(iccid)
    user.require(Role.OPERATOR)
    await LinkService(session, user.scope).unlink(iccid)
