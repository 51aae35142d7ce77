"""Queries on `job_items`."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.scope import Scope
from sim_service.job_items.models import ItemState, JobItem


class JobItemRepository:
    """Items of jobs of one organisation, or of all with EVERYTHING."""

    def __init__(self, session: AsyncSession, scope: Scope) -> None:
        self._session, self._scope = session, scope

    async def page(
        self, job_id: UUID, state: ItemState | None, *, limit: int, offset: int, after: int | None
    ) -> Sequence[JobItem]:
        """By number, from an offset or behind the number `after`."""
        statement = self._of(job_id, state).order_by(JobItem.number).limit(limit).offset(offset)
        if after is not None:
            statement = statement.where(JobItem.number > after)
        return (await self._session.execute(statement)).scalars().all()

    async def count(self, job_id: UUID, state: ItemState | None) -> int:
        """How many items there are to see."""
        found = self._of(job_id, state).subquery()
        return (await self._session.execute(select(func.count()).select_from(found))).scalar_one()

    def _of(self, job_id: UUID, state: ItemState | None) -> Select[JobItem]:
        statement = select(JobItem).where(
            JobItem.job_id == job_id, self._scope.where(JobItem.organization_id)
        )
        return statement if state is None else statement.where(JobItem.state == state)
