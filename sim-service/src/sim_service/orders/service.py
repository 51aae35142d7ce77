"""The rules of orders: read as last heard of with their age, placed once."""

from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from fleet_kit.database import Sessions
from fleet_kit.errors import Conflict, FleetError, NotFound, invalid
from fleet_kit.ids import uuid7
from fleet_kit.keyset import Found
from fleet_kit.pagination import PageParams
from fleet_kit.principal import Principal
from fleet_kit.scope import Scope
from sim_service.attempts import ABANDONED, PurchaseState
from sim_service.carrier.base import Carrier
from sim_service.carrier.facts import CarrierOrder, OrderToPlace, Priority
from sim_service.freshness import SERVE_KNOWN, Known
from sim_service.looks.models import LookedAt
from sim_service.looks.repository import LookRepository
from sim_service.orders.keeping import keep
from sim_service.orders.models import FINAL, Order, OrderItem, OrderRequest, lines_of
from sim_service.orders.placing import OrderPlacer
from sim_service.orders.repository import OrderFilter, OrderRepository, OrderRequestRepository
from sim_service.products.repository import ProductRepository
from sim_service.repeats import Repeat
from sim_service.topups.resolver import Resolver

Items = dict[str, list[OrderItem]]
ANSWER_KNOWN: tuple[type[FleetError], ...] = (*SERVE_KNOWN, NotFound)


class OrderService:
    """Orders as one organisation sees them. `fresh`: seconds for which they are not asked for again."""

    def __init__(self, sessions: Sessions, scope: Scope, carrier: Carrier, *, fresh: float) -> None:
        self._sessions, self._scope, self._carrier = sessions, scope, carrier
        self._fresh = timedelta(seconds=fresh)
        self._resolver = Resolver(sessions, carrier, give_up=0)

    async def find(self, wanted: OrderFilter, paging: PageParams) -> tuple[Known[Found[Order]], Items]:
        """A page with its items; the newest orders are read first where that is long ago.

        Raises the carrier's errors where the list was never read.
        """
        async with self._sessions() as session:
            looked_at = await LookRepository(session).last(LookedAt.ORDERS)
        failure: FleetError | None = None
        if looked_at is None or datetime.now(UTC) - looked_at >= self._fresh:
            failure = await self._try(self._newest, known=looked_at is not None)
            looked_at = looked_at if failure and looked_at else datetime.now(UTC)
        async with self._sessions() as session:
            orders = OrderRepository(session, self._scope)
            found = await orders.page(wanted, paging)
            items = await orders.items([order.number for order in found.items])
        return Known(found, looked_at, failure), items

    async def read(self, number: str) -> tuple[Known[Order], Items]:
        """One order with its items, read again if it can still change; raises NotFound."""
        order, items = await self._kept(number)
        failure = None
        if order.state not in FINAL and datetime.now(UTC) - order.synced_at >= self._fresh:

            async def again() -> list[CarrierOrder]:
                return [await self._carrier.get_order(number, priority=Priority.PEOPLE)]

            failure = await self._try(again, known=True)
            order, items = await self._kept(number)
        return Known(order, order.synced_at, failure), items

    async def place(self, wanted: OrderToPlace, user: Principal, repeat: Repeat) -> OrderRequest:
        """Buy SIMs; raises Conflict while the same is being bought, 422 for unknown products, the refusal."""
        owner = str(user.organization_id)
        row = _request(wanted, user)
        async with self._sessions.begin() as session:
            requests = OrderRequestRepository(session, self._scope)
            once = repeat.within(session)
            before: Any = await once.replay(owner)
            known = await requests.get(UUID(before["id"])) if before else None
            if known is not None and known.state != PurchaseState.FAILED:
                return known
            await _check(ProductRepository(session), LookRepository(session), wanted)
            if not await requests.add(row):
                raise Conflict("the same order is under way", code="ORDER_IN_PROGRESS")
            await once.remember(owner, {"id": str(row.id)})
        await OrderPlacer(self._sessions, self._carrier, give_up=0).send(row)
        return await self.request(row.id)

    async def request(self, request_id: UUID) -> OrderRequest:
        """One request; raises NotFound."""
        async with self._sessions() as session:
            row = await OrderRequestRepository(session, self._scope).get(request_id)
        if row is None:
            raise NotFound("no such request", code="ORDER_REQUEST_NOT_FOUND")
        return row

    async def requests(self, paging: PageParams) -> Found[OrderRequest]:
        """A page of requests, newest first."""
        async with self._sessions() as session:
            return await OrderRequestRepository(session, self._scope).page(paging)

    async def _kept(self, number: str) -> tuple[Order, Items]:
        async with self._sessions() as session:
            orders = OrderRepository(session, self._scope)
            order = await orders.get(number)
            if order is None:
                raise NotFound("no such order", code="ORDER_NOT_FOUND")
            return order, await orders.items([number])

    async def _newest(self) -> list[CarrierOrder]:
        return (await self._carrier.list_orders(1, priority=Priority.PEOPLE)).orders

    async def _try(
        self, ask: Callable[[], Coroutine[Any, Any, list[CarrierOrder]]], *, known: bool
    ) -> FleetError | None:
        """Ask and keep; why that failed, raised where nothing is known."""
        try:
            orders = await ask()
        except ANSWER_KNOWN as failure:
            if not known:
                raise
            return failure
        async with self._sessions.begin() as session:
            kept = await keep(session, orders, self._carrier.name)
            if ask == self._newest:
                await LookRepository(session).note(LookedAt.ORDERS)
        for order in kept.new:
            await self._resolver.noticed(order)
        for order in kept.changed:
            await self._resolver.hurry(order.number)
        return None


async def _check(products: ProductRepository, looks: LookRepository, wanted: OrderToPlace) -> None:
    """Raise 422 for a product that the catalogue, if it is known, does not offer in that quantity."""
    if await looks.last(LookedAt.PRODUCTS) is None:
        return
    offered = {product.id: product for product in await products.offered([one for one, _ in wanted.products])}
    for number, quantity in wanted.products:
        product = offered.get(number)
        if product is None:
            raise invalid("products", f"product {number} is not offered", code="PRODUCT_NOT_FOUND")
        if quantity < (product.smallest_quantity or 1):
            raise invalid("products", f"product {number}: at least {product.smallest_quantity}")
        if product.largest_quantity is not None and quantity > product.largest_quantity:
            raise invalid("products", f"product {number}: at most {product.largest_quantity}")


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
        next_look_at=now + ABANDONED,
        created_at=now,
    )
