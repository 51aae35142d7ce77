"""The rules of job items: everybody sees those of their own organisation."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.keyset import Found
from fleet_kit.pagination import PageParams
from fleet_kit.scope import Scope
from sim_service.job_items.models import ItemState, JobItem
from sim_service.job_items.repository import JobItemRepository
from sim_service.jobs.service import JobService


class JobItemService:
    """Items as a scope sees them."""

    def __init__(self, session: AsyncSession, scope: Scope) -> None:
        self._jobs, self._items = JobService(session, scope), JobItemRepository(session, scope)

    async def find(self, job_id: UUID, state: ItemState | None, paging: PageParams) -> Found[JobItem]:
        """One page of a job's items in their order; raises NotFound."""
        await self._jobs.get(job_id)
        return await self._items.page(job_id, state, paging)
