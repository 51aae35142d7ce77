"""HTTP: organisations."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from fleet_kit.database import DbSession
from fleet_kit.pagination import Page, Paging
from fleet_kit.principal import CurrentUser
from fleet_kit.schemas import Text
from signing_service.organizations.schemas import OrganizationOut, Sort
from signing_service.organizations.service import OrganizationService

router = APIRouter(prefix="/organizations", tags=["organizations"])


@router.get("")
async def list_organizations(
    user: CurrentUser,
    session: DbSession,
    paging: Paging,
    search: Annotated[Text | None, Query(max_length=200)] = None,
    sort: Sort = "created_at",
) -> Page[OrganizationOut]:
    """One's own organisation; all of them for a platform administrator."""
    found = await OrganizationService(session, user.scope).page(paging, search=search, sort=sort)
    return found.to_page(OrganizationOut.model_validate, paging)


@router.get("/{organization_id}")
async def read_organization(organization_id: UUID, user: CurrentUser, session: DbSession) -> OrganizationOut:
    """One organisation."""
    return OrganizationOut.model_validate(await OrganizationService(session, user.scope).get(organization_id))
