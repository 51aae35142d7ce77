"""Queries on `orders`, `order_items` and `order_requests`."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, func, or_, select, text, union, update
from sqlalchemy.dialects.postgresql import insert

from fleet_kit.keyset_pagination import PageResult, SortOrder, find_page
from fleet_kit.pagination import PageParams
from fleet_kit.rows_in_turn import RowsInTurn
from fleet_kit.scope import EVERYTHING
from sim_service.billing.orders.models import FINAL, QUEUED_ROWS, Order, OrderItem, OrderRequest
from sim_service.billing.purchases.models import UNSETTLED, UNSETTLED_ROWS, PurchaseState
from sim_service.billing.purchases.queries import PurchaseQueries
from sim_service.inventory.sims.models import Sim
from sim_service.platform.scoped_repository import ScopedRepository

_NEWEST = SortOrder("-placed_at", Order.placed_at, Order.number)
_HAS_TURN = """
    (SELECT count(*) = 0 FROM (SELECT 1 FROM order_requests AS asked
     WHERE asked.lines = order_requests.lines AND asked.state IN ('requested', 'sent', 'unknown')
        AND NOT asked.queued LIMIT 1) AS equal)
    AND (SELECT count(*) = 0 FROM (SELECT 1 FROM order_requests AS longer
     WHERE longer.lines = order_requests.lines AND longer.queued AND longer.state = 'requested'
        AND longer.id < order_requests.id LIMIT 1) AS equal)
"""
"""Of a queued request: no equal one is being asked for, and none has waited longer.

Two looks into indexes for a row; EXISTS would be a join, for which Postgres may read every queued row. And a
condition such as IS NULL counts as nearly never true: Postgres would read all rows of an owner at once.
"""


FAILED_ORDERS_KEPT = 1_000
"""Of one organisation. An order is up to 10 kB."""


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
    model = OrderRequest
    polled = RowsInTurn("order_requests", UNSETTLED_ROWS, since="next_look_at")
    failed_kept = FAILED_ORDERS_KEPT
    queued = RowsInTurn("order_requests", QUEUED_ROWS, since="id", due=_HAS_TURN)

    async def page(self, state: PurchaseState | None, paging: PageParams) -> PageResult[OrderRequest]:
        statement = self._mine()
        if state is not None:
            statement = statement.where(OrderRequest.state == state)
        return await self._newest(statement, paging)

    async def lock_equal(self, row: OrderRequest) -> set[UUID]:
        """Keep others from ordering the same until the commit; the organisations whose equal order is open.

        Of the order's own organisation, what waits for approval is open too.
        """
        await self._session.execute(select(func.pg_advisory_xact_lock(func.hashtext(row.lines))))
        waits = and_(
            OrderRequest.state == PurchaseState.AWAITING_APPROVAL,
            OrderRequest.organization_id == row.organization_id,
        )
        statement = select(OrderRequest.organization_id).where(
            OrderRequest.lines == row.lines,
            OrderRequest.id != row.id,
            or_(OrderRequest.state.in_(UNSETTLED), waits),
        )
        return {*await self._all(statement)}

    async def next_queued(self, limit: int) -> Sequence[OrderRequest]:
        """Of the requests that wait for equal ones, those whose turn it is; of organisations in turn."""
        return await self._in_order(await self.queued.lock(self._session, limit))

    async def take_turn(self, row: OrderRequest) -> OrderRequest | None:
        """A request as it is now, locked, if it is still its turn; no equal one comes until the commit."""
        await self.lock_equal(row)
        statement = self._mine().where(OrderRequest.id == row.id, QUEUED_ROWS, text(_HAS_TURN))
        statement = statement.with_for_update().execution_options(populate_existing=True)
        return await self._one(statement)

    async def undecided(self, before: datetime, limit: int) -> Sequence[OrderRequest]:
        """The oldest that wait for approval since before a moment, locked, but for those that others lock."""
        statement = (
            self._mine()
            .where(OrderRequest.state == PurchaseState.AWAITING_APPROVAL, OrderRequest.created_at < before)
            .order_by(OrderRequest.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        return await self._all(statement)

    async def taken_numbers(self, numbers: Collection[str]) -> set[str]:
        """Those of the orders that a request has become."""
        statement = select(OrderRequest.order_number).where(OrderRequest.order_number.in_(numbers))
        return {number for number in await self._session.scalars(statement) if number is not None}

    async def with_numbers(self, numbers: Collection[str]) -> dict[str, OrderRequest]:
        """The requests that became these orders, by number, locked."""
        statement = self._mine().where(OrderRequest.order_number.in_(numbers)).order_by(OrderRequest.id)
        found = await self._all(statement.with_for_update())
        return {row.order_number: row for row in found if row.order_number}
