"""Queries on `orders`, `order_items` and `order_requests`."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, select, union, update
from sqlalchemy.dialects.postgresql import insert

from fleet_kit.keyset_pagination import PageResult, SortOrder, find_page
from fleet_kit.pagination import PageParams
from fleet_kit.scope import EVERYTHING
from sim_service.billing.orders.models import FINAL, Order, OrderItem, OrderRequest
from sim_service.billing.purchases.models import UNSETTLED
from sim_service.billing.purchases.queries import PurchaseQueries
from sim_service.inventory.sims.models import Sim
from sim_service.platform.scoped_repository import ScopedRepository

_NEWEST = SortOrder("-placed_at", Order.placed_at, Order.number)


class OrderRepository(ScopedRepository):
    """Orders that one organisation placed or whose SIMs it owns, or all with EVERYTHING."""

    async def get(self, number: str) -> Order | None:
        return await self._one(self._mine().where(Order.number == number))

    async def page(
        self, wanted: Mapping[str, Any], paging: PageParams, *, iccid: str | None = None
    ) -> PageResult[Order]:
        """Orders whose columns have the wanted values; `iccid`: that touch this SIM."""
        statement = self._mine().filter_by(**wanted)
        if iccid is not None:
            touching = select(OrderItem.order_number).where(
                OrderItem.iccid == iccid, self._scope.where(OrderItem.organization_id)
            )
            statement = statement.where(Order.number.in_(touching))
        return await find_page(self._session, statement, _NEWEST, paging)

    async def items(self, numbers: Collection[str]) -> dict[str, list[OrderItem]]:
        """The items of orders, of other organisations too: show only those in scope."""
        statement = select(OrderItem).where(OrderItem.order_number.in_(numbers)).order_by(OrderItem.iccid)
        found: dict[str, list[OrderItem]] = {number: [] for number in numbers}
        for item in await self._all(statement):
            found[item.order_number].append(item)
        return found

    async def known(self, numbers: Collection[str]) -> dict[str, Order]:
        """Orders by number, locked."""
        statement = self._mine().where(Order.number.in_(numbers)).order_by(Order.number).with_for_update()
        return {order.number: order for order in await self._all(statement)}

    async def unfinished(self, *, synced_before: datetime) -> Sequence[str]:
        """Numbers of orders that can still change and were last read before a moment."""
        statement = (
            self._mine()
            .with_only_columns(Order.number)
            .where(Order.state.not_in(FINAL), Order.synced_at < synced_before)
            .order_by(Order.number)
        )
        return await self._all(statement)

    async def add_items(self, number: str, iccids: Collection[str]) -> None:
        """Note the SIMs that an order touches, with their present owners."""
        if not iccids:
            return
        sims = await self._all(select(Sim).where(Sim.iccid.in_(iccids)))
        owners = {sim.iccid: sim.organization_id for sim in sims}
        rows = [
            {"order_number": number, "iccid": iccid, "organization_id": owners.get(iccid)}
            for iccid in sorted(set(iccids))
        ]
        statement = insert(OrderItem.metadata.tables[OrderItem.__tablename__]).on_conflict_do_nothing()
        await (await self._session.connection()).execute(statement, rows)

    async def own_items(self) -> None:
        """Give items of SIMs that had no owner then to whoever owns them by now."""
        statement = (
            update(OrderItem)
            .where(
                OrderItem.organization_id.is_(None),
                Sim.iccid == OrderItem.iccid,
                Sim.organization_id.is_not(None),
            )
            .values(organization_id=Sim.organization_id)
            .execution_options(synchronize_session=False)
        )
        await self._session.execute(statement)

    def _mine(self) -> Select[Order]:
        if self._scope == EVERYTHING:
            return select(Order)
        # A union rather than OR: each half has an index, the two conditions together have none.
        mine = union(
            select(Order.number).where(self._scope.where(Order.organization_id)),
            select(OrderItem.order_number).where(self._scope.where(OrderItem.organization_id)),
        )
        return select(Order).where(Order.number.in_(mine))


class OrderRequestRepository(PurchaseQueries[OrderRequest]):
    model, polled = OrderRequest, UNSETTLED

    async def page(self, paging: PageParams) -> PageResult[OrderRequest]:
        return await self._newest(self._mine(), paging)

    async def enter(self, row: OrderRequest) -> bool:
        """Store a request, unless one with the same products is unsettled; whether it was stored."""
        await self._session.execute(select(func.pg_advisory_xact_lock(func.hashtext(row.lines))))
        statement = select(OrderRequest.id).where(
            OrderRequest.lines == row.lines, OrderRequest.state.in_(UNSETTLED)
        )
        if await self._all(statement):
            return False
        self.add(row)
        await self._session.flush()
        return True

    async def owners(self, numbers: Collection[str]) -> dict[str, UUID]:
        """Who asked for which of the orders, by number."""
        statement = select(OrderRequest.order_number, OrderRequest.organization_id).where(
            OrderRequest.order_number.in_(numbers)
        )
        return {row[0]: row[1] for row in (await self._session.execute(statement)).all() if row[0]}
