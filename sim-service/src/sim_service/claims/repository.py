"""Queries on `sim_releases`."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.scope import Scope
from sim_service.claims.models import SimRelease


class ReleaseRepository:
    """Releases of one organisation, or of all with EVERYTHING."""

    def __init__(self, session: AsyncSession, scope: Scope) -> None:
        self._session, self._scope = session, scope

    def add(self, release: SimRelease) -> None:
        """A new release."""
        self._session.add(release)

    async def page(self, *, limit: int, offset: int, before: UUID | None) -> Sequence[SimRelease]:
        """Newest first, from an offset or behind the release `before`."""
        statement = self._mine()
        if before is not None:
            statement = statement.where(SimRelease.id < before)
        statement = statement.order_by(SimRelease.id.desc()).limit(limit).offset(offset)
        return (await self._session.execute(statement)).scalars().all()

    async def count(self) -> int:
        """How many releases there are to see."""
        statement = select(func.count()).select_from(self._mine().subquery())
        return (await self._session.execute(statement)).scalar_one()

    def _mine(self) -> Select[SimRelease]:
        return select(SimRelease).where(self._scope.where(SimRelease.organization_id))
