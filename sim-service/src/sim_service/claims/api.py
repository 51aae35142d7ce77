"""HTTP: claim SIMs into an organisation."""

from fastapi import APIRouter

from fleet_kit.database import DbSession
from fleet_kit.errors import NotFound
from fleet_kit.principal import CurrentAdmin
from sim_service.claims.schemas import ClaimIn, ClaimOut
from sim_service.claims.service import ClaimService

router = APIRouter(tags=["sims"])


@router.post("/sims/claim")
async def claim_sims(body: ClaimIn, user: CurrentAdmin, session: DbSession) -> ClaimOut:
    """Make unclaimed SIMs the organisation's own: all of them, or 404 naming those that cannot be had."""
    organization_id = body.organization_id or user.organization_id
    if not user.scope.covers(organization_id):
        raise NotFound("no such organisation", code="ORGANIZATION_NOT_FOUND")
    return await ClaimService(session).claim(body.iccids, organization_id)
