"""The rules of orders: read as last stored with their age, placed once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.database import Sessions
from fleet_kit.errors import FleetError, NotFound
from fleet_kit.ids import uuid7
from fleet_kit.keyset_pagination import PageResult
from fleet_kit.pagination import PageParams
from fleet_kit.principal import Principal
from fleet_kit.scope import Scope
from sim_service.billing.budgets.service import BudgetService
from sim_service.billing.orders.models import FINAL, Order, OrderItem, OrderRequest, lines_of
from sim_service.billing.orders.placement import OrderPlacement, in_progress, no_such_request
from sim_service.billing.orders.repository import OrderRepository, OrderRequestRepository
from sim_service.billing.orders.upsert import upsert_orders
from sim_service.billing.products.service import ProductService, quote
from sim_service.billing.purchases.models import ABANDON_AFTER, PurchaseState
from sim_service.billing.sync_watermarks.models import CarrierList
from sim_service.billing.sync_watermarks.queries import last_read
from sim_service.billing.topups.reconciliation import TopUpReconciler
from sim_service.carrier.base import Carrier
from sim_service.carrier.freshness import FALLBACK_ERRORS, Known, read_through
from sim_service.carrier.models import CarrierOrder, OrderToPlace, Priority
from sim_service.grants.models import Switch
from sim_service.grants.service import GrantService
from sim_service.platform.idempotency import IdempotencyContext

Items = dict[str, list[OrderItem]]
OrderWithItems = tuple[Order, list[OrderItem]]
_SERVE_STORED: tuple[type[FleetError], ...] = (*FALLBACK_ERRORS, NotFound)


@dataclass(frozen=True, slots=True)
class OrderLimits:
    """`approval_above`: gross price above which an order waits, where the grant does not say otherwise."""

    approval_above: Decimal
    tax_percent: Decimal


class OrderService:
    """Orders as one organisation sees them. `fresh`: seconds for which they are not asked for again."""

    def __init__(
        self, sessions: Sessions, scope: Scope, carrier: Carrier, *, limits: OrderLimits, fresh: float
    ) -> None:
        self._sessions, self._scope, self._carrier, self._limits = sessions, scope, carrier, limits
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
        """Buy SIMs, or have an order above the limit wait for approval.

        While another organisation buys the same, the worker asks for it later. Raises Forbidden NOT_GRANTED,
        Conflict while the organisation itself buys the same, for an unknown price or beyond the budget, 422
        for unknown products, the carrier's refusal.
        """
        owner = user.organization_id
        async with self._sessions() as session:
            await GrantService(session).require(owner, Switch.ORDERS)
        await ProductService(self._sessions, self._carrier, fresh=0).ensure_read()
        row = _request(wanted, user)
        async with self._sessions.begin() as session:
            once = idempotency.within(session)
            before: Any = await once.replay(str(owner))
            requests = OrderRequestRepository(session, self._scope)
            known = await requests.get(UUID(before["id"])) if before else None
            if known is not None and known.state != PurchaseState.FAILED:
                return known
            await self._enter(session, row)
            await once.remember(str(owner), {"id": str(row.id)})
        if row.state == PurchaseState.REQUESTED and not row.queued:
            await OrderPlacement(self._sessions, self._carrier, give_up=0).send(row)
        return await self.request(row.id)

    async def _enter(self, session: AsyncSession, row: OrderRequest) -> None:
        """Book a request with its money."""
        price = await quote(session, row.to_place().products, self._limits.tax_percent)
        row.amount, row.currency = price
        requests = OrderRequestRepository(session, self._scope)
        buyers = await requests.lock_equal(row)
        if row.organization_id in buyers:
            raise in_progress()
        allowance = await BudgetService(session).reserve(row.organization_id)
        allowance.take(Switch.ORDERS, *price)
        row.counted_at = allowance.at
        own_limit = allowance.grant.order_approval_above
        if price.amount > (self._limits.approval_above if own_limit is None else own_limit):
            row.state = PurchaseState.AWAITING_APPROVAL
        elif buyers:
            row.enqueue()
        await requests.forget_failed(row.organization_id)
        requests.add(row)

    async def request(self, request_id: UUID) -> OrderRequest:
        async with self._sessions() as session:
            row = await OrderRequestRepository(session, self._scope).get(request_id)
        if row is None:
            raise no_such_request()
        return row

    async def requests(self, state: PurchaseState | None, paging: PageParams) -> PageResult[OrderRequest]:
        async with self._sessions() as session:
            return await OrderRequestRepository(session, self._scope).page(state, paging)

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
        state=PurchaseState.REQUESTED,
        queued=False,
        organization_id=user.organization_id,
        products=[{"product_id": product, "quantity": count} for product, count in wanted.products],
        lines=lines_of(list(wanted.products)),
        address=wanted.address,
        customer_reference=wanted.reference,
        requested_by=user.user_id,
        next_poll_at=now + ABANDON_AFTER,
        created_at=now,
    )
