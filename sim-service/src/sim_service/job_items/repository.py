"""Queries on `job_items`."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, String, Uuid, cast, column, func, insert, literal, select, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.keyset import Found, Order, find_page
from fleet_kit.pagination import PageParams
from fleet_kit.scope import Scope
from sim_service.job_items.models import OVER, ItemState, JobItem

_BY_NUMBER = Order("number", JobItem.number, JobItem.number)


class JobItemRepository:
    """Items of jobs of one organisation, or of all with EVERYTHING."""

    def __init__(self, session: AsyncSession, scope: Scope) -> None:
        self._session, self._scope = session, scope

    async def page(self, job_id: UUID, state: ItemState | None, paging: PageParams) -> Found[JobItem]:
        """A page by number."""
        return await find_page(self._session, self._of(job_id, state), _BY_NUMBER, paging)

    async def add(self, job_id: UUID, organization_id: UUID, iccids: Sequence[str]) -> None:
        """One item for each SIM, in this order."""
        listed = func.unnest(cast(list(iccids), ARRAY(String))).table_valued(
            column("iccid", String), with_ordinality="number", name="listed"
        )
        listed = listed.render_derived()
        rows = select(literal(job_id, Uuid), listed.c.number, literal(organization_id, Uuid), listed.c.iccid)
        names = [JobItem.job_id, JobItem.number, JobItem.organization_id, JobItem.iccid]
        await self._session.execute(insert(JobItem).from_select(names, rows))

    async def some(
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
        return (await self._session.execute(statement)).scalars().all()

    async def turn(self, job_id: UUID, state: ItemState, into: ItemState) -> int:
        """Put the items that are in one state into another; how many these were."""
        values = {"state": into, **({"finished_at": func.now()} if into in OVER else {})}
        statement = update(JobItem).where(JobItem.job_id == job_id, JobItem.state == state).values(**values)
        return (await (await self._session.connection()).execute(statement)).rowcount

    async def last_progress(self, job_id: UUID) -> datetime | None:
        """When an item was last begun or settled."""
        last = func.greatest(func.max(JobItem.claimed_at), func.max(JobItem.finished_at))
        found: datetime | None = await self._session.scalar(select(last).where(JobItem.job_id == job_id))
        return found

    def _of(self, job_id: UUID, state: ItemState | None) -> Select[JobItem]:
        statement = select(JobItem).where(
            JobItem.job_id == job_id, self._scope.where(JobItem.organization_id)
        )
        return statement if state is None else statement.where(JobItem.state == state)
