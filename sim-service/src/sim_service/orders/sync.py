"""The job that brings orders up to the carrier's list."""

from datetime import UTC, datetime
from itertools import count

from fleet_kit.database import Sessions
from fleet_kit.errors import NotFound
from fleet_kit.scope import EVERYTHING
from sim_service.carrier.base import Carrier
from sim_service.carrier.facts import CarrierOrder, Priority
from sim_service.jobs.models import JobKind
from sim_service.jobs.runner import Held
from sim_service.jobs.service import JobService
from sim_service.looks.models import LookedAt
from sim_service.looks.repository import LookRepository
from sim_service.orders.keeping import Kept, keep
from sim_service.orders.repository import OrderRepository
from sim_service.topups.resolver import Resolver


class OrderSync:
    """Reads the list from its newest page back to what is known and final, then what else is unfinished.

    Only orders that were known when the last sync that succeeded began vouch for those behind them: others
    may have been read by somebody who looked at the newest page, or by a sync that did not end. The ledger of
    top-ups hears of every order that is new or changed.
    """

    def __init__(self, sessions: Sessions, carrier: Carrier, resolver: Resolver) -> None:
        self._sessions, self._carrier, self._resolver = sessions, carrier, resolver

    async def run(self, held: Held) -> None:
        """Read them; a restarted job begins anew, since new orders shift all pages."""
        started = datetime.now(UTC)
        async with self._sessions() as session:
            vouched = await JobService(session).last_success(JobKind.SYNC_ORDERS)
        for page in count(1):
            listed = await self._carrier.list_orders(page, priority=Priority.BACKGROUND)
            if not listed.orders:
                break
            kept = await self._keep(held, listed.orders, total=listed.total)
            if kept.settled_before(vouched):
                break
        async with self._sessions() as session:
            left = await OrderRepository(session, EVERYTHING).unfinished(synced_before=started)
        for number in left:
            try:
                order = await self._carrier.get_order(number, priority=Priority.BACKGROUND)
            except NotFound:
                continue
            await self._keep(held, [order])
        async with self._sessions.begin() as session:
            await held.in_transaction(session)
            await OrderRepository(session, EVERYTHING).own_items()
            await LookRepository(session).note(LookedAt.ORDERS)

    async def _keep(self, held: Held, orders: list[CarrierOrder], *, total: int | None = None) -> Kept:
        async with self._sessions.begin() as session:
            job = await held.in_transaction(session)
            kept = await keep(session, orders, self._carrier.name)
            job.done += len(orders)
            job.total = total if total is not None else job.total
            job.count(new=len(kept.new), changed=len(kept.changed))
        for order in kept.new:
            await self._resolver.noticed(order)
        for order in kept.changed:
            await self._resolver.take_over(order)
        return kept
