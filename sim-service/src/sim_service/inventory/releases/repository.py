from fleet_kit.keyset_pagination import PageResult, SortOrder, find_page
from fleet_kit.pagination import PageParams
from sim_service.inventory.releases.models import SimRelease
from sim_service.platform.scoped_repository import ScopedRepository

# Ids are made in the order of time.
_NEWEST = SortOrder("-id", SimRelease.id, SimRelease.id)


class ReleaseRepository(ScopedRepository):
    async def page(self, paging: PageParams) -> PageResult[SimRelease]:
        return await find_page(self._session, self._owned(SimRelease), _NEWEST, paging)
