"""HTTP: what organisations may do in the carrier's account."""

from uuid import UUID

from fastapi import APIRouter

from fleet_kit.database import DbSession
from fleet_kit.errors import Forbidden
from fleet_kit.openapi import raises
from fleet_kit.pagination import Page, Paging
from fleet_kit.principal import CurrentUser, PlatformAdmin, Role
from sim_service.grants.schemas import GrantIn, GrantOut
from sim_service.grants.service import GrantService

router = APIRouter(prefix="/sim/grants", tags=["grants"])


@router.get("")
async def list_grants(_: PlatformAdmin, session: DbSession, paging: Paging) -> Page[GrantOut]:
    """Every organisation that has, or once had, a grant."""
    return (await GrantService(session).page(paging)).to_page(GrantOut.model_validate, paging)


@router.get("/{organization_id}")
@raises(Forbidden)
async def read_grant(organization_id: UUID, user: CurrentUser, session: DbSession) -> GrantOut:
    """What an organisation has: its own for an admin, any for the platform administrator."""
    owner = user.acts_for(organization_id)
    user.require(Role.ADMIN)
    return GrantOut.model_validate(await GrantService(session, user.scope).get(owner))


@router.put("/{organization_id}")
async def put_grant(
    organization_id: UUID, body: GrantIn, user: PlatformAdmin, session: DbSession
) -> GrantOut:
    """Platform administrator; replaces all that the organisation has."""
    grant = await GrantService(session).put(organization_id, body.model_dump(), user.user_id)
    return GrantOut.model_validate(grant)
