"""Queries that every table of purchases has."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import ClassVar, Generic, TypeVar
from uuid import UUID

from sqlalchemy import Select

from fleet_kit.keyset_pagination import PageResult, SortOrder, find_page
from fleet_kit.pagination import PageParams
from sim_service.billing.purchases.models import Purchase, PurchaseState
from sim_service.platform.scoped_repository import ScopedRepository

PurchaseT = TypeVar("PurchaseT", bound=Purchase)


def month_start(moment: datetime) -> datetime:
    """The beginning of its month in UTC, for which budgets are."""
    return datetime(moment.year, moment.month, 1, tzinfo=UTC)


class PurchaseQueries(ScopedRepository, Generic[PurchaseT]):
    """Purchases of one organisation, or of all with EVERYTHING. `polled`: states that the worker follows."""

    model: type[PurchaseT]
    polled: ClassVar[tuple[PurchaseState, ...]]

    async def get(self, purchase_id: UUID) -> PurchaseT | None:
        statement = self._mine().where(self.model.id == purchase_id)
        return await self._one(statement)

    async def all_of(self, ids: Collection[UUID], *, for_update: bool = False) -> Sequence[PurchaseT]:
        """Purchases by their ids; `for_update` locks them in one order."""
        statement = self._mine().where(self.model.id.in_(ids)).order_by(self.model.id)
        if for_update:
            statement = statement.with_for_update().execution_options(populate_existing=True)
        return await self._all(statement)

    async def due(self, now: datetime, limit: int) -> Sequence[PurchaseT]:
        """Purchases to poll, locked; those that another worker has locked are left out."""
        statement = (
            self._mine()
            .where(self.model.state.in_(self.polled), self.model.next_poll_at <= now)
            .order_by(self.model.next_poll_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        return await self._all(statement)

    async def _newest(self, statement: Select[PurchaseT], paging: PageParams) -> PageResult[PurchaseT]:
        # Ids are made in the order of time.
        return await find_page(
            self._session, statement, SortOrder("-id", self.model.id, self.model.id), paging
        )

    def _mine(self) -> Select[PurchaseT]:
        return self._owned(self.model)
