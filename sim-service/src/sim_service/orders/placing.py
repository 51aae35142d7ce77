"""Buying SIMs: noted before the carrier is asked, never repeated, looked for where the answer was lost."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog

from fleet_kit.database import Sessions
from fleet_kit.errors import FleetError
from fleet_kit.scope import EVERYTHING
from sim_service.apart import apart
from sim_service.attempts import NEVER_SENT, NOT_FOUND, PurchaseState
from sim_service.carrier.base import Carrier
from sim_service.carrier.errors import (
    CarrierAway,
    CarrierBadAnswer,
    CarrierOperationUnavailable,
    CarrierOutcomeUnknown,
)
from sim_service.carrier.facts import CarrierOrder, OrderKind, OrderToPlace, Priority
from sim_service.orders.keeping import keep
from sim_service.orders.models import OrderRequest, lines_of
from sim_service.orders.repository import OrderRequestRepository
from sim_service.topups.looking import Listed, in_time, orders_since

log = structlog.get_logger(__name__)
_BATCH = 50
_KINDS = {OrderKind.FIRST_ORDER, OrderKind.ADDITIONAL_ORDER, OrderKind.UNKNOWN}


class OrderPlacer:
    """Sends requests, finds lost ones. `give_up`: seconds after which one without an order did not happen."""

    def __init__(self, sessions: Sessions, carrier: Carrier, *, give_up: float) -> None:
        self._sessions, self._carrier = sessions, carrier
        self._give_up = timedelta(seconds=give_up)

    async def send(self, request: OrderRequest) -> None:
        """Place the order; raises the carrier's refusal, which then is noted."""
        if not await self._write(request.id, OrderRequest.sent):
            return
        wanted = OrderToPlace(
            tuple((line["product_id"], line["quantity"]) for line in request.products),
            request.address,
            request.customer_reference,
        )
        try:
            number = await self._carrier.place_order(wanted, priority=Priority.PEOPLE)
        except (CarrierOutcomeUnknown, CarrierBadAnswer) as error:
            await self._write(request.id, OrderRequest.unclear, error.code)
        except FleetError as error:
            await self._write(request.id, OrderRequest.failed, error.code)
            raise
        else:
            await self._write(request.id, OrderRequest.ordered, number)
            await self._fetch(number)

    async def look(self) -> None:
        """Look for requests whose answer was lost, and give up what no living process works on."""
        async with self._sessions.begin() as session:
            due = list(await OrderRequestRepository(session, EVERYTHING).due(datetime.now(UTC), _BATCH))
            for row in due:
                if row.state == PurchaseState.REQUESTED:
                    row.failed(NEVER_SENT)
                elif row.state == PurchaseState.SENT:
                    row.unclear("PROCESS_DIED")
                row.look_later()
        lost = [row for row in due if row.state == PurchaseState.UNKNOWN]
        if not lost:
            return
        try:
            listed = await orders_since(self._carrier, min(row.sent_at or row.created_at for row in lost))
        except (*CarrierAway, CarrierOperationUnavailable) as error:
            log.info("orders wait for the carrier", error=error.code, waiting=len(lost))
            return
        for row in lost:
            with apart("matching a request", request_id=str(row.id)):
                await self._match(row.id, listed)

    async def _match(self, request_id: UUID, listed: Listed) -> None:
        async with self._sessions.begin() as session:
            requests = OrderRequestRepository(session, EVERYTHING)
            row = await requests.get(request_id, for_update=True)
            if row is None or row.state != PurchaseState.UNKNOWN:
                return
            found = [order for order in listed.orders if _fits(row, order)]
            taken = await requests.owners([order.number for order in found])
            free = [order for order in found if order.number not in taken]
            if free:
                row.ordered(free[0].number)
                await session.flush()
                await keep(session, free[:1], self._carrier.name)
            elif listed.complete and row.overdue(self._give_up):
                row.failed(NOT_FOUND)

    async def _fetch(self, number: str) -> None:
        """Let the order be known at once, if it can be read; else the next sync brings it."""
        try:
            order = await self._carrier.get_order(number, priority=Priority.PEOPLE)
        except FleetError as error:
            log.info("order not read yet", number=number, error=error.code)
            return
        async with self._sessions.begin() as session:
            await keep(session, [order], self._carrier.name)

    async def _write(self, request_id: UUID, change: Callable[..., bool], *values: str) -> bool:
        async with self._sessions.begin() as session:
            row = await OrderRequestRepository(session, EVERYTHING).get(request_id, for_update=True)
            return row is not None and change(row, *values)


def _fits(row: OrderRequest, order: CarrierOrder) -> bool:
    return in_time(row, order) and order.kind in _KINDS and lines_of(list(order.products)) == row.lines
