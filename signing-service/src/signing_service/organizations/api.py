"""HTTP: organisations."""

from uuid import UUID

from fastapi import APIRouter

from fleet_kit.database import DbSession
from fleet_kit.pagination import Page, Paging
from fleet_kit.principal import CurrentUser
from signing_service.organizations.schemas import OrganizationOut
from signing_service.organizations.service import OrganizationService

router = APIRouter(prefix="/organizations", tags=["organizations"])


@router.get("")
async def list_organizations(user: CurrentUser, session: DbSession, paging: Paging) -> Page[OrganizationOut]:
    """One's own organisation; all of them for a platform administrator."""
    items, total = await OrganizationService(session, user.scope).page(paging)
    shown = [OrganizationOut.model_validate(item) for item in items]
    return Page(items=shown, total=total, page=paging.page, page_size=paging.page_size)


@router.get("/{organization_id}")
async def read_organization(organization_id: UUID, user: CurrentUser, session: DbSession) -> OrganizationOut:
    """One organisation."""
    return OrganizationOut.model_validate(await OrganizationService(session, user.scope).get(organization_id))
