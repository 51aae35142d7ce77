"""Orders above the limit: the platform administrator decides before anything goes to the carrier."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.database import Sessions
from fleet_kit.principal import Principal
from fleet_kit.scope import EVERYTHING
from sim_service.billing.orders.models import OrderRequest
from sim_service.billing.orders.placement import OrderPlacement, in_progress, no_such_request, weigh
from sim_service.billing.orders.repository import OrderRequestRepository
from sim_service.billing.purchases.models import PurchaseState
from sim_service.carrier.base import Carrier


class OrderApprovals:
    """Decisions on requests of all organisations. Who decides the same twice changes nothing."""

    def __init__(self, sessions: Sessions, carrier: Carrier) -> None:
        self._sessions, self._carrier = sessions, carrier

    async def approve(self, request_id: UUID, user: Principal) -> OrderRequest:
        """Place the order now, within the grant and this month's budget as they are now.

        Raises NotFound, Conflict for what does not wait or is beyond the budget, Forbidden NOT_GRANTED, and
        the carrier's refusal.
        """
        async with self._sessions.begin() as session:
            row = await _locked(session, request_id)
            if row.state == PurchaseState.AWAITING_APPROVAL:
                await _weigh_alone(session, row)
            is_new = row.decide(user.user_id, approved=True)
        if is_new:
            await OrderPlacement(self._sessions, self._carrier, give_up=0).send(row)
        async with self._sessions() as session:
            return await _existing(session, request_id)

    async def reject(self, request_id: UUID, user: Principal) -> OrderRequest:
        """The order costs nothing from now on; raises NotFound, Conflict for what does not wait."""
        async with self._sessions.begin() as session:
            row = await _locked(session, request_id)
            row.decide(user.user_id, approved=False)
            return row


async def _weigh_alone(session: AsyncSession, row: OrderRequest) -> None:
    if await OrderRequestRepository(session, EVERYTHING).lock_equal(row):
        raise in_progress()
    await weigh(session, row)


async def _locked(session: AsyncSession, request_id: UUID) -> OrderRequest:
    rows = await OrderRequestRepository(session, EVERYTHING).all_of([request_id], for_update=True)
    if not rows:
        raise no_such_request()
    return rows[0]


async def _existing(session: AsyncSession, request_id: UUID) -> OrderRequest:
    row = await OrderRequestRepository(session, EVERYTHING).get(request_id)
    if row is None:
        raise no_such_request()
    return row
