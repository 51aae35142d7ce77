"""Order requests: asked of the carrier once, and found by their products where the answer was lost."""

from collections.abc import Hashable, Sequence

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.errors import FleetError
from fleet_kit.scope import EVERYTHING
from sim_service.billing.orders.models import OrderRequest, lines_of
from sim_service.billing.orders.repository import OrderRequestRepository
from sim_service.billing.orders.upsert import upsert_orders
from sim_service.billing.purchases.models import MAX_CALL_DURATION, PurchaseState
from sim_service.billing.purchases.reconciliation import PurchaseReconciler
from sim_service.billing.purchases.submission import PurchaseCalls
from sim_service.carrier.errors import CARRIER_UNAVAILABLE_ERRORS, CarrierOperationUnavailable
from sim_service.carrier.lost_calls import LostCalls
from sim_service.carrier.models import MAX_CLOCK_SKEW, CarrierOrder, OrderKind, OrderToPlace, Priority

log = structlog.get_logger(__name__)
_KINDS = {OrderKind.FIRST_ORDER, OrderKind.ADDITIONAL_ORDER, OrderKind.UNKNOWN}

LOST_ORDERS: LostCalls[OrderRequest, CarrierOrder] = LostCalls(
    sent_at=lambda row: row.asked_at,
    appeared_at=lambda order: order.placed_at,
    same_content=lambda row, order: order.kind in _KINDS and lines_of(list(order.products)) == row.lines,
    identity=lambda row, order: order.number,
    clock_tolerance=MAX_CLOCK_SKEW,
    longest_call=MAX_CALL_DURATION,
)


class OrderPlacement(PurchaseReconciler[OrderRequest]):
    queries, lost_calls, batch = OrderRequestRepository, LOST_ORDERS, 50

    async def send(self, request: OrderRequest, wanted: OrderToPlace) -> None:
        """Place the order and store it if it can be read; raises the carrier's refusal, once it is noted."""

        async def place(_: Sequence[OrderRequest]) -> str:
            return await self._carrier.place_order(wanted, priority=Priority.INTERACTIVE)

        number = await PurchaseCalls(self._sessions, OrderRequestRepository).submit([request], place)
        if not number:
            return
        try:
            order = await self._carrier.get_order(number, priority=Priority.INTERACTIVE)
        except FleetError as error:
            log.info("order not read yet", number=number, error=error.code)
        else:
            async with self._sessions.begin() as session:
                await self.store_order(session, order)

    async def poll(self) -> None:
        """Reconcile lost requests that are due, and give up what no living process works on."""
        lost = [row for row in await self.claim_due() if row.state == PurchaseState.UNKNOWN]
        try:
            await self.find_lost(lost)
        except (*CARRIER_UNAVAILABLE_ERRORS, CarrierOperationUnavailable) as error:
            log.info("orders wait for the carrier", error=error.code, waiting=len(lost))

    async def taken(self, session: AsyncSession, orders: Sequence[CarrierOrder]) -> set[Hashable]:
        numbers = [order.number for order in orders]
        return {*await OrderRequestRepository(session, EVERYTHING).owners(numbers)}

    async def store_order(self, session: AsyncSession, order: CarrierOrder) -> None:
        await session.flush()
        await upsert_orders(session, [order], self._carrier.name)
