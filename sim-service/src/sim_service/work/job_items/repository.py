from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, String, Uuid, cast, column, func, insert, literal, select, update
from sqlalchemy.dialects.postgresql import ARRAY

from fleet_kit.keyset_pagination import PageResult, SortOrder, find_page
from fleet_kit.pagination import PageParams
from sim_service.platform.scoped_repository import ScopedRepository
from sim_service.work.job_items.models import OVER, ItemState, JobItem

_BY_NUMBER = SortOrder("number", JobItem.number, JobItem.number)


class JobItemRepository(ScopedRepository):
    """Items of jobs of one organisation, or of all with EVERYTHING."""

    async def page(self, job_id: UUID, state: ItemState | None, paging: PageParams) -> PageResult[JobItem]:
        return await find_page(self._session, self._of(job_id, state), _BY_NUMBER, paging)

    async def create(self, job_id: UUID, organization_id: UUID, iccids: Sequence[str]) -> None:
        """One item for each SIM, in this order."""
        listed = func.unnest(cast(list(iccids), ARRAY(String))).table_valued(
            column("iccid", String), with_ordinality="number", name="listed"
        )
        listed = listed.render_derived()
        rows = select(literal(job_id, Uuid), listed.c.number, literal(organization_id, Uuid), listed.c.iccid)
        names = [JobItem.job_id, JobItem.number, JobItem.organization_id, JobItem.iccid]
        await self._session.execute(insert(JobItem).from_select(names, rows))

    async def in_states(
        self, job_id: UUID, states: Collection[ItemState], *, after: int, limit: int
    ) -> Sequence[JobItem]:
        """Items in these states behind the number `after`, by number."""
        statement = (
            self._of(job_id, None)
            .where(JobItem.state.in_(states), JobItem.number > after)
            .order_by(JobItem.number)
            .limit(limit)
            .execution_options(populate_existing=True)
        )
        return await self._all(statement)

    async def change_state(self, job_id: UUID, state: ItemState, into: ItemState) -> int:
        """Put the items that are in one state into another; how many these were."""
        values = {"state": into, **({"finished_at": func.now()} if into in OVER else {})}
        statement = update(JobItem).where(JobItem.job_id == job_id, JobItem.state == state).values(**values)
        return (await (await self._session.connection()).execute(statement)).rowcount

    async def last_progress(self, job_id: UUID) -> datetime | None:
        last = func.greatest(func.max(JobItem.claimed_at), func.max(JobItem.finished_at))
        return await self._one(select(last).where(JobItem.job_id == job_id))

    def _of(self, job_id: UUID, state: ItemState | None) -> Select[JobItem]:
        statement = select(JobItem).where(
            JobItem.job_id == job_id, self._scope.where(JobItem.organization_id)
        )
        return statement if state is None else statement.where(JobItem.state == state)
