"""Queries on `sim_releases`."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
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


async def last_release_by_others(session: AsyncSession, iccid: str, owner: UUID | None) -> datetime | None:
    """When an organisation other than the owner last gave the SIM back, None where none ever did."""
    released = select(func.max(SimRelease.released_at)).where(
        SimRelease.iccid == iccid, SimRelease.organization_id != owner
    )
    return (await session.execute(released)).scalar_one()
