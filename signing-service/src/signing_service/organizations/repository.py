from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.keyset_pagination import PageResult, SortOrder, find_page
from fleet_kit.pagination import PageParams
from fleet_kit.scope import Scope
from signing_service.organizations.models import Organization

COLUMNS = {"name": Organization.name, "created_at": Organization.created_at}


class OrganizationRepository:
    """Organisations inside a scope: one's own, or all for a platform administrator."""

    def __init__(self, session: AsyncSession, scope: Scope) -> None:
        self._session, self._inside = session, scope.where(Organization.id)

    async def add(self, organization: Organization) -> None:
        """Save a new one."""
        self._session.add(organization)
        await self._session.flush()

    async def find(self, organization_id: UUID) -> Organization | None:
        query = select(Organization).where(self._inside, Organization.id == organization_id)
        return (await self._session.execute(query)).scalar_one_or_none()

    async def page(self, paging: PageParams, *, search: str | None, sort: str) -> PageResult[Organization]:
        """One page of those whose name holds `search`."""
        query = select(Organization).where(self._inside)
        if search:
            query = query.where(Organization.name.icontains(search, autoescape=True))
        order = SortOrder(sort, COLUMNS[sort.removeprefix("-")], Organization.id)
        return await find_page(self._session, query, order, paging)
