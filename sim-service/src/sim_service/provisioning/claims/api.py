"""HTTP: claim SIMs into an organisation, release them again."""

from fastapi import APIRouter

from fleet_kit.database import DbSession
from fleet_kit.errors import Conflict, NotFound
from fleet_kit.openapi import raises
from fleet_kit.pagination import Page, Paging
from fleet_kit.principal import CurrentAdmin, CurrentUser, Role
from sim_service.inventory.releases.service import ReleaseHistory
from sim_service.platform.iccid_path import IccidPath
from sim_service.provisioning.claims.release_service import ReleaseService
from sim_service.provisioning.claims.schemas import ClaimIn, ClaimOut, ReleasedOut, ReleaseIn, ReleaseOut
from sim_service.provisioning.claims.service import ClaimService

router = APIRouter(tags=["sims"])


@router.post("/sims/claim")
@raises(NotFound)
async def claim_sims(body: ClaimIn, user: CurrentAdmin, session: DbSession) -> ClaimOut:
    """Make unclaimed SIMs the organisation's own: all, or 404 `CLAIM_REFUSED`, whatever the reason."""
    claims = ClaimService(session, user.acts_for(body.organization_id))
    if body.code is not None:
        return await claims.redeem(body.code, user.user_id)
    iccids = body.iccids or []
    return await (claims.assign(iccids) if user.is_admin else claims.claim(iccids))


@router.post("/sims/release")
@raises(NotFound, Conflict)
async def release_sims(body: ReleaseIn, user: CurrentUser, session: DbSession) -> ReleasedOut:
    """Give SIMs back, all of them or none: they leave their devices, belong to nobody and can be claimed."""
    releases = ReleaseService(session, user.scope)
    await releases.check(body.iccids)
    user.require(Role.ADMIN)
    return ReleasedOut(released=await releases.release(body.iccids, user.user_id))


@router.delete("/sims/{iccid}/claim", status_code=204)
@raises(Conflict)
async def release_sim(iccid: IccidPath, user: CurrentUser, session: DbSession) -> None:
    """Give one SIM back; its usage, messages and orders stay with the organisation."""
    releases = ReleaseService(session, user.scope)
    await releases.check([iccid])
    user.require(Role.ADMIN)
    await releases.release([iccid], user.user_id)


@router.get("/sims/releases")
async def list_releases(user: CurrentUser, session: DbSession, paging: Paging) -> Page[ReleaseOut]:
    """SIMs that the organisation gave back, newest first."""
    found = await ReleaseHistory(session, user.scope).page(paging)
    return found.to_page(ReleaseOut.model_validate, paging)
