"""Queries on organisations."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.scope import Scope
from signing_service.organizations.models import Organization


class OrganizationRepository:
    """Organisations inside a scope: one's own, or all for a platform administrator."""

    def __init__(self, session: AsyncSession, scope: Scope) -> None:
        self._session, self._inside = session, scope.where(Organization.id)

    async def add(self, organization: Organization) -> None:
        """Save a new one."""
        self._session.add(organization)
        await self._session.flush()

    async def find(self, organization_id: UUID) -> Organization | None:
        """The one with this id."""
        query = select(Organization).where(self._inside, Organization.id == organization_id)
        return (await self._session.execute(query)).scalar_one_or_none()

    async def page(self, offset: int, limit: int) -> tuple[Sequence[Organization], int]:
        """One page in the order of their making, and how many there are."""
        query = select(Organization).where(self._inside).order_by(Organization.id).offset(offset).limit(limit)
        count = select(func.count()).select_from(Organization).where(self._inside)
        return (await self._session.scalars(query)).all(), await self._session.scalar(count) or 0
