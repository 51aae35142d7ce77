"""Storing orders as the carrier shows them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.scope import EVERYTHING
from sim_service.billing.orders.models import FINAL, Order
from sim_service.billing.orders.repository import OrderRepository, OrderRequestRepository
from sim_service.billing.sync_watermarks.models import CarrierList
from sim_service.billing.sync_watermarks.queries import lock_list, mark_read
from sim_service.carrier.models import CarrierOrder


@dataclass(frozen=True, slots=True)
class UpsertResult:
    """`settled_at`: when the last of them was stored; None where one is new, changed or can still change."""

    new: Sequence[CarrierOrder]
    changed: Sequence[CarrierOrder]
    settled_at: datetime | None

    def settled_before(self, moment: datetime | None) -> bool:
        """Whether all of them were known by a moment, and final."""
        return moment is not None and self.settled_at is not None and self.settled_at < moment


async def upsert_orders(
    session: AsyncSession, facts: Sequence[CarrierOrder], carrier: str, *, newest: bool = False
) -> UpsertResult:
    """Store orders with their SIMs and requesters; `newest`: they are the list's newest page, now read."""
    by_number = {order.number: order for order in facts}
    await lock_list(session, CarrierList.ORDERS)
    orders = OrderRepository(session, EVERYTHING)
    known = await orders.known(by_number)
    requests = await OrderRequestRepository(session, EVERYTHING).with_numbers(by_number)
    new, changed = [], []
    for number, fact in by_number.items():
        order = known.get(number)
        if order is None:
            order = Order(number=number, carrier=carrier)
            new.append(fact)
        elif order.state != fact.state:
            changed.append(fact)
        order.update_from_carrier(fact)
        if (request := requests.get(number)) is not None:
            request.update_from_order(fact)
            order.organization_id = order.organization_id or request.organization_id
        orders.add(order)
        await session.flush()
        await orders.add_items(number, fact.iccids)
    if newest:
        await mark_read(session, CarrierList.ORDERS)
    settled = not new and not changed and all(order.state in FINAL for order in facts)
    stored = [order.created_at for order in known.values()]
    return UpsertResult(new, changed, max(stored, default=None) if settled else None)
