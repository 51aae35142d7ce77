"""Order requests: asked of the carrier once, and found by their products where the answer was lost."""

from collections.abc import Hashable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.errors import Conflict, FleetError, NotFound
from fleet_kit.scope import EVERYTHING
from sim_service.billing.budgets.service import BudgetService
from sim_service.billing.orders.models import APPROVAL_LASTS, OrderRequest, lines_of
from sim_service.billing.orders.repository import OrderRequestRepository
from sim_service.billing.orders.upsert import upsert_orders
from sim_service.billing.purchases.models import MAX_CALL_DURATION, PurchaseState
from sim_service.billing.purchases.reconciliation import PurchaseReconciler, within_round
from sim_service.billing.purchases.submission import PurchaseCalls
from sim_service.carrier.errors import CARRIER_UNAVAILABLE_ERRORS, CarrierOperationUnavailable
from sim_service.carrier.fair_share import share_of
from sim_service.carrier.lost_calls import LostCalls
from sim_service.carrier.models import MAX_CLOCK_SKEW, CarrierOrder, OrderKind, Priority
from sim_service.carrier.time_limit import optional_call
from sim_service.grants.models import Switch
from sim_service.work.failures import isolate_failure

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

    async def send(self, request: OrderRequest) -> None:
        """Place the order and store it if it can be read; raises the carrier's refusal, once it is noted."""

        async def place(_: Sequence[OrderRequest]) -> str:
            return await self._carrier.place_order(request.to_place(), priority=Priority.INTERACTIVE)

        number = await PurchaseCalls(self._sessions, OrderRequestRepository).submit([request], place)
        if not number:
            return
        try:
            with optional_call():
                order = await self._carrier.get_order(number, priority=Priority.INTERACTIVE)
        except FleetError as error:
            log.info("order not read yet", number=number, error=error.code)
        else:
            async with self._sessions.begin() as session:
                await self.store_order(session, order)

    async def poll(self) -> None:
        """Reconcile lost requests that are due; give up what no process works on or nobody approves."""
        await self._expire_undecided()
        lost = [row for row in await self.claim_due() if row.state == PurchaseState.UNKNOWN]
        try:
            await self.find_lost(lost)
        except (*CARRIER_UNAVAILABLE_ERRORS, CarrierOperationUnavailable) as error:
            log.info("orders wait for the carrier", error=error.code, waiting=len(lost))

        await self._send_queued()

    async def _send_queued(self) -> None:
        """Place the orders that waited for equal ones of other organisations, for which it is time."""
        async with self._sessions() as session:
            waiting = await OrderRequestRepository(session, EVERYTHING).next_queued(self.batch)
        for row in within_round(waiting):
            with isolate_failure("placing a queued order", id=str(row.id)):
                if await self._dequeue(row):
                    with share_of(row.organization_id), suppress(FleetError):  # which is noted
                        await self.send(row)

    async def _dequeue(self, row: OrderRequest) -> bool:
        """Whether it is a request's turn, within the grant and this month's budget as they are now."""
        async with self._sessions.begin() as session:
            current = await OrderRequestRepository(session, EVERYTHING).take_turn(row)
            if current is None:
                return False
            try:
                await weigh(session, current)
            except FleetError as refusal:
                current.mark_failed(refusal.code)
                return False
            current.dequeue()
            return True

    async def _expire_undecided(self) -> None:
        async with self._sessions.begin() as session:
            requests = OrderRequestRepository(session, EVERYTHING)
            for row in await requests.undecided(datetime.now(UTC) - APPROVAL_LASTS, self.batch):
                row.expire()
                log.info("order expired unapproved", id=str(row.id))

    async def taken(self, session: AsyncSession, orders: Sequence[CarrierOrder]) -> set[Hashable]:
        numbers = [order.number for order in orders]
        return {*await OrderRequestRepository(session, EVERYTHING).taken_numbers(numbers)}

    async def store_order(self, session: AsyncSession, order: CarrierOrder) -> None:
        await session.flush()
        await upsert_orders(session, [order], self._carrier.name)


async def weigh(session: AsyncSession, row: OrderRequest) -> None:
    """Count a request in this month's budget anew; raises Forbidden NOT_GRANTED, Conflict BUDGET_EXCEEDED."""
    allowance = await BudgetService(session).reserve(row.organization_id, without=row.id)
    allowance.take(Switch.ORDERS, row.amount or Decimal(0), row.currency or allowance.grant.currency)
    row.counted_at = allowance.at


def in_progress() -> Conflict:
    return Conflict("the same order is under way", code="ORDER_IN_PROGRESS")


def no_such_request() -> NotFound:
    return NotFound("no such request", code="ORDER_REQUEST_NOT_FOUND")
