from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.errors import NotFound
from fleet_kit.keyset_pagination import PageResult
from fleet_kit.outbox import Outbox
from fleet_kit.pagination import PageParams
from fleet_kit.scope import Scope
from signing_service.organizations import events
from signing_service.organizations.models import Organization
from signing_service.organizations.repository import OrganizationRepository


class OrganizationService:
    """What one may do with organisations."""

    def __init__(self, session: AsyncSession, scope: Scope) -> None:
        self._session, self._organizations = session, OrganizationRepository(session, scope)

    async def create(self, name: str) -> Organization:
        """A new organisation."""
        organization = Organization(name=name)
        await self._organizations.add(organization)
        await Outbox(self._session).add(events.created(organization))
        return organization

    async def get(self, organization_id: UUID) -> Organization:
        """The organisation; raises NotFound, also for those of others."""
        organization = await self._organizations.find(organization_id)
        if organization is None:
            raise NotFound("no such organisation", code="ORGANIZATION_NOT_FOUND")
        return organization

    async def page(self, paging: PageParams, *, search: str | None, sort: str) -> PageResult[Organization]:
        """One page of organisations."""
        return await self._organizations.page(paging, search=search, sort=sort)
