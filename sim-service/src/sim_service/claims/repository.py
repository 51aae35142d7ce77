"""Queries on `sim_releases`."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.keyset import Found, Order, find_page
from fleet_kit.pagination import PageParams
from fleet_kit.scope import Scope
from sim_service.claims.models import SimRelease

# Ids are made in the order of time.
_NEWEST = Order("-id", SimRelease.id, SimRelease.id)


class ReleaseRepository:
    """Releases of one organisation, or of all with EVERYTHING."""

    def __init__(self, session: AsyncSession, scope: Scope) -> None:
        self._session, self._scope = session, scope

    def add(self, release: SimRelease) -> None:
        """A new release."""
        self._session.add(release)

    async def page(self, paging: PageParams) -> Found[SimRelease]:
        """A page, newest first."""
        mine = select(SimRelease).where(self._scope.where(SimRelease.organization_id))
        return await find_page(self._session, mine, _NEWEST, paging)
