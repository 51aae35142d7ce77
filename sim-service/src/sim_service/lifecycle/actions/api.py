"""HTTP: change a SIM, follow what becomes of it."""

from uuid import UUID

from fastapi import APIRouter, Response

from fleet_kit.database import DbSession
from fleet_kit.errors import Conflict
from fleet_kit.openapi import raises
from fleet_kit.pagination import Page, Paging
from fleet_kit.principal import CurrentUser, Role
from sim_service.inventory.sims.schemas import SimOut
from sim_service.inventory.sims.service import SimService
from sim_service.lifecycle.actions.schemas import ActionOut, SimChanged, SimPatch
from sim_service.lifecycle.actions.service import ActionService
from sim_service.platform.iccid_path import IccidPath
from sim_service.work.jobs.models import JobKind
from sim_service.work.jobs.service import JobService

router = APIRouter(tags=["sims"])


@router.patch("/sims/{iccid}", responses={202: {"model": SimChanged}})
@raises(Conflict)
async def change_sim(
    iccid: IccidPath, body: SimPatch, user: CurrentUser, session: DbSession, response: Response
) -> SimChanged:
    """Change a SIM; 202 with actions to poll where the carrier has to do something, else 200."""
    sims = SimService(session, user.scope)
    await sims.get(iccid)
    user.require(Role.OPERATOR)
    actions = await ActionService(session, user.scope).request(iccid, body.change(), by=user.user_id)
    sim = await sims.describe(iccid, tags=body.tags, metadata=body.metadata)
    response.status_code = 202 if actions else 200
    shown = SimOut.of(sim, await JobService(session).last_success(JobKind.SYNC_SIMS))
    return SimChanged(**shown.model_dump(), actions=[ActionOut.model_validate(action) for action in actions])


@router.get("/sims/{iccid}/actions")
async def list_actions(
    iccid: IccidPath, user: CurrentUser, session: DbSession, paging: Paging
) -> Page[ActionOut]:
    """What was asked for at the carrier and what became of it, newest first."""
    found = await ActionService(session, user.scope).page(iccid, paging)
    return found.to_page(ActionOut.model_validate, paging)


@router.get("/sims/{iccid}/actions/{action_id}")
async def read_action(iccid: IccidPath, action_id: UUID, user: CurrentUser, session: DbSession) -> ActionOut:
    """One action; it is over when `finished_at` is set."""
    return ActionOut.model_validate(await ActionService(session, user.scope).get(iccid, action_id))
