"""The rules of job items: everybody sees those of their own organisation."""

from uuid import UUID

from fleet_kit.keyset_pagination import PageResult
from fleet_kit.pagination import PageParams
from sim_service.work.job_items.models import ItemState, JobItem
from sim_service.work.job_items.repository import JobItemRepository
from sim_service.work.jobs.service import JobService


class JobItemService(JobItemRepository):
    """Items as a scope sees them; the features that run jobs read and change them with the queries."""

    async def find(self, job_id: UUID, state: ItemState | None, paging: PageParams) -> PageResult[JobItem]:
        """A page of a job's items in their order; raises NotFound."""
        await JobService(self._session, self._scope).get(job_id)
        return await self.page(job_id, state, paging)
