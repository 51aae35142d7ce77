"""Queries that every table of purchases has."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import ClassVar, Generic, TypeVar
from uuid import UUID

from sqlalchemy import Select, delete, select

from fleet_kit.keyset_pagination import PageResult, SortOrder, find_page
from fleet_kit.pagination import PageParams
from fleet_kit.rows_in_turn import RowsInTurn
from sim_service.billing.purchases.models import FAILED_UNORDERED_ROWS, Purchase
from sim_service.platform.scoped_repository import ScopedRepository

_MOST_FORGOTTEN = 1_000
PurchaseT = TypeVar("PurchaseT", bound=Purchase)


def month_start(moment: datetime) -> datetime:
    """The beginning of its month in UTC, for which budgets are."""
    return datetime(moment.year, moment.month, 1, tzinfo=UTC)


class PurchaseQueries(ScopedRepository, Generic[PurchaseT]):
    """Purchases of one organisation, or of all with EVERYTHING.

    `polled`: those that the worker follows. `failed_kept`: how many
    failed ones that never had an order an organisation may have.
    """

    model: type[PurchaseT]
    polled: ClassVar[RowsInTurn]
    failed_kept: ClassVar[int]

    async def get(self, purchase_id: UUID) -> PurchaseT | None:
        statement = self._mine().where(self.model.id == purchase_id)
        return await self._one(statement)

    async def all_of(self, ids: Collection[UUID], *, for_update: bool = False) -> Sequence[PurchaseT]:
        """Purchases by their ids; `for_update` locks them in one order."""
        statement = self._mine().where(self.model.id.in_(ids)).order_by(self.model.id)
        if for_update:
            statement = statement.with_for_update().execution_options(populate_existing=True)
        return await self._all(statement)

    async def due(self, limit: int) -> Sequence[PurchaseT]:
        """Purchases to poll now, of all organisations in turn, locked; none that others have locked."""
        return await self._in_order(await self.polled.lock(self._session, limit))

    async def forget_failed(self, owner: UUID) -> None:
        """Delete an organisation's oldest failed purchases that never had an order, beyond `failed_kept`.

        They cost nothing, so that no budget bounds them. The rest goes the next time, if there are many.
        """
        failed = select(self.model.id).where(self.model.organization_id == owner, FAILED_UNORDERED_ROWS)
        newest = failed.order_by(self.model.id.desc()).offset(self.failed_kept).limit(1).scalar_subquery()
        oldest = failed.where(self.model.id <= newest).order_by(self.model.id).limit(_MOST_FORGOTTEN)
        beyond = oldest.with_for_update(skip_locked=True)
        await self._session.execute(delete(self.model).where(self.model.id.in_(beyond)))

    async def _in_order(self, ids: Sequence[UUID]) -> Sequence[PurchaseT]:
        found = {row.id: row for row in await self.all_of(ids)}
        return [found[each] for each in ids]

    async def _newest(self, statement: Select[PurchaseT], paging: PageParams) -> PageResult[PurchaseT]:
        # Ids are made in the order of time.
        return await find_page(
            self._session, statement, SortOrder("-id", self.model.id, self.model.id), paging
        )

    def _mine(self) -> Select[PurchaseT]:
        return self._owned(self.model)
