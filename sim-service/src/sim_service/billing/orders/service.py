"""The rules of orders: read as last stored with their age, placed once."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from fleet_kit.database import Sessions
from fleet_kit.errors import Conflict, FleetError, NotFound
from fleet_kit.ids import uuid7
from fleet_kit.keyset_pagination import PageResult
from fleet_kit.pagination import PageParams
from fleet_kit.principal import Principal
from fleet_kit.scope import Scope
from sim_service.billing.orders.models import FINAL, Order, OrderItem, OrderRequest, lines_of
from sim_service.billing.orders.placement import OrderPlacement
from sim_service.billing.orders.repository import OrderRepository, OrderRequestRepository
from sim_service.billing.orders.upsert import upsert_orders
from sim_service.billing.products.service import ensure_offered
from sim_service.billing.purchases.models import ABANDON_AFTER, PurchaseState
from sim_service.billing.sync_watermarks.models import CarrierList
from sim_service.billing.sync_watermarks.queries import last_read
from sim_service.billing.topups.reconciliation import TopUpReconciler
from sim_service.carrier.base import Carrier
from sim_service.carrier.freshness import FALLBACK_ERRORS, Known, read_through
from sim_service.carrier.models import CarrierOrder, OrderToPlace, Priority
from sim_service.platform.idempotency import IdempotencyContext

Items = dict[str, list[OrderItem]]
OrderWithItems = tuple[Order, list[OrderItem]]
_SERVE_STORED: tuple[type[FleetError], ...] = (*FALLBACK_ERRORS, NotFound)


class OrderService:
    """Orders as one organisation sees them. `fresh`: seconds for which they are not asked for again."""

    def __init__(self, sessions: Sessions, scope: Scope, carrier: Carrier, *, fresh: float) -> None:
        self._sessions, self._scope, self._carrier = sessions, scope, carrier
        self._fresh = timedelta(seconds=fresh)
        self._top_ups = TopUpReconciler(sessions, carrier, give_up=0)

    async def find(
        self, wanted: Mapping[str, Any], paging: PageParams, *, iccid: str | None = None
    ) -> tuple[Known[PageResult[Order]], Items]:
        """A page with its items, as last read unless that is long ago; raises if the list was never read."""
        async with self._sessions() as session:
            read_at = await last_read(session, CarrierList.ORDERS)
        read = await read_through(Known(None, read_at) if read_at else None, self._fresh, self._read_newest)
        async with self._sessions() as session:
            orders = OrderRepository(session, self._scope)
            found = await orders.page(wanted, paging, iccid=iccid)
            items = await orders.items([order.number for order in found.items])
        return Known(found, read.as_of, read.failure), items

    async def read(self, number: str) -> Known[OrderWithItems]:
        """One order with its items, read again if it can still change; raises NotFound."""
        known = await self._stored(number)
        if known.value[0].state in FINAL:
            return known
        return await read_through(known, self._fresh, lambda: self._read_again(number), _SERVE_STORED)

    async def place(
        self, wanted: OrderToPlace, user: Principal, idempotency: IdempotencyContext
    ) -> OrderRequest:
        """Buy SIMs; raises Conflict while the same is being bought, 422 for unknown products, the refusal."""
        owner = str(user.organization_id)
        row = _request(wanted, user)
        async with self._sessions.begin() as session:
            requests = OrderRequestRepository(session, self._scope)
            once = idempotency.within(session)
            before: Any = await once.replay(owner)
            known = await requests.get(UUID(before["id"])) if before else None
            if known is not None and known.state != PurchaseState.FAILED:
                return known
            await ensure_offered(session, wanted.products)
            if not await requests.enter(row):
                raise Conflict("the same order is under way", code="ORDER_IN_PROGRESS")
            await once.remember(owner, {"id": str(row.id)})
        await OrderPlacement(self._sessions, self._carrier, give_up=0).send(row, wanted)
        return await self.request(row.id)

    async def request(self, request_id: UUID) -> OrderRequest:
        async with self._sessions() as session:
            row = await OrderRequestRepository(session, self._scope).get(request_id)
        if row is None:
            raise NotFound("no such request", code="ORDER_REQUEST_NOT_FOUND")
        return row

    async def requests(self, paging: PageParams) -> PageResult[OrderRequest]:
        async with self._sessions() as session:
            return await OrderRequestRepository(session, self._scope).page(paging)

    async def _stored(self, number: str) -> Known[OrderWithItems]:
        async with self._sessions() as session:
            orders = OrderRepository(session, self._scope)
            order = await orders.get(number)
            if order is None:
                raise NotFound("no such order", code="ORDER_NOT_FOUND")
            items = await orders.items([number])
        return Known((order, items[number]), order.synced_at)

    async def _read_newest(self) -> Known[None]:
        page = await self._carrier.list_orders(1, priority=Priority.INTERACTIVE)
        await self._store(page.orders, newest=True)
        return Known(None, datetime.now(UTC))

    async def _read_again(self, number: str) -> Known[OrderWithItems]:
        await self._store([await self._carrier.get_order(number, priority=Priority.INTERACTIVE)])
        return await self._stored(number)

    async def _store(self, orders: Sequence[CarrierOrder], *, newest: bool = False) -> None:
        async with self._sessions.begin() as session:
            stored = await upsert_orders(session, orders, self._carrier.name, newest=newest)
            await self._top_ups.match_new(session, stored.new)
        for order in stored.new:
            await self._top_ups.apply(order)
        for order in stored.changed:
            await self._top_ups.order_changed(order.number)


def _request(wanted: OrderToPlace, user: Principal) -> OrderRequest:
    now = datetime.now(UTC)
    return OrderRequest(
        id=uuid7(),
        organization_id=user.organization_id,
        products=[{"product_id": product, "quantity": count} for product, count in wanted.products],
        lines=lines_of(list(wanted.products)),
        address=wanted.address,
        customer_reference=wanted.reference,
        requested_by=user.user_id,
        next_poll_at=now + ABANDON_AFTER,
        created_at=now,
    )
