"""Taking over what the carrier tells of its orders."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.scope import EVERYTHING
from sim_service.carrier.facts import CarrierOrder
from sim_service.looks.models import LookedAt
from sim_service.looks.repository import LookRepository
from sim_service.orders.models import FINAL, Order
from sim_service.orders.repository import OrderRepository, OrderRequestRepository


@dataclass(frozen=True, slots=True)
class Kept:
    """Orders seen for the first time, and those that changed.

    `settled_at`: when the last of them was stored; None where one is new, has changed or can still change.
    """

    new: Sequence[CarrierOrder]
    changed: Sequence[CarrierOrder]
    settled_at: datetime | None

    def settled_before(self, moment: datetime | None) -> bool:
        """Whether all of them were known by a moment, and final."""
        return moment is not None and self.settled_at is not None and self.settled_at < moment


async def keep(session: AsyncSession, facts: Sequence[CarrierOrder], carrier: str) -> Kept:
    """Store orders with the SIMs that they touch and, where it was asked for here, their owner."""
    by_number = {order.number: order for order in facts}
    await LookRepository(session).alone(LookedAt.ORDERS)
    orders = OrderRepository(session, EVERYTHING)
    known = await orders.known(by_number)
    owners = await OrderRequestRepository(session, EVERYTHING).owners(by_number)
    new, changed = [], []
    for number, fact in by_number.items():
        order = known.get(number)
        if order is None:
            order = Order(number=number, carrier=carrier)
            new.append(fact)
        elif order.state != fact.state:
            changed.append(fact)
        order.take_over(fact)
        order.organization_id = order.organization_id or owners.get(number)
        orders.add(order)
        await session.flush()
        await orders.add_items(number, fact.iccids)
    settled = not new and not changed and all(order.state in FINAL for order in facts)
    stored = [order.created_at for order in known.values()]
    return Kept(new, changed, max(stored, default=None) if settled else None)
