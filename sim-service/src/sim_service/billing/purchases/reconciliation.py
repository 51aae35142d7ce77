"""Finding the orders of purchases whose answer was lost; nothing here asks the carrier to do anything."""

import time
from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Generic, TypeVar
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.database import Sessions
from fleet_kit.scope import EVERYTHING
from sim_service.billing.purchases.models import NOT_FOUND, PurchaseState
from sim_service.billing.purchases.queries import PurchaseQueries, PurchaseT
from sim_service.carrier.base import Carrier
from sim_service.carrier.lost_calls import Listing, LostCalls, read_pages
from sim_service.carrier.models import MAX_CLOCK_SKEW, CarrierOrder, Priority
from sim_service.work.failures import isolate_failure

T = TypeVar("T")
_MOST_PAGES = 100
ROUND_SECONDS = 20.0
"""What was claimed and not begun by then waits for the next round, so that others have their turn.

The carrier allows a request for orders every three seconds, so all that one round claims takes minutes.
"""


def within_round(items: Iterable[T]) -> Iterator[T]:
    """The first of the items, and further ones as long as the round has time."""
    until = time.monotonic() + ROUND_SECONDS
    for place, item in enumerate(items):
        if place and time.monotonic() >= until:
            return
        yield item


class PurchaseReconciler(ABC, Generic[PurchaseT]):
    """Polls purchases of one table. `give_up`: seconds after which one without an order did not happen."""

    queries: type[PurchaseQueries[PurchaseT]]
    lost_calls: LostCalls[PurchaseT, CarrierOrder]
    batch: int

    def __init__(self, sessions: Sessions, carrier: Carrier, *, give_up: float) -> None:
        self._sessions, self._carrier = sessions, carrier
        self._give_up = timedelta(seconds=give_up)

    @abstractmethod
    async def taken(self, session: AsyncSession, orders: Sequence[CarrierOrder]) -> set[Hashable]:
        """Identities, as in `lost_calls`, that purchases have already."""

    async def store_order(self, session: AsyncSession, order: CarrierOrder) -> None:
        """An order was found; in the transaction that notes whose it is."""

    async def settled(self, row: PurchaseT, order: CarrierOrder | None) -> None:
        """A purchase was matched, and committed with its order if one was found."""

    async def claim_due(self) -> list[PurchaseT]:
        """Take what is due, of organisations in turn and in that order, and schedule its next poll."""
        async with self._sessions.begin() as session:
            rows = list(await self.queries(session, EVERYTHING).due(self.batch))
            for row in rows:
                row.expire_stale_call()
                row.schedule_poll()
        return rows

    async def find_lost(self, rows: Sequence[PurchaseT]) -> None:
        """Match purchases of unknown outcome; raises the carrier's errors."""
        if not rows:
            return
        listing = await _orders_since(self._carrier, min(row.asked_at for row in rows))
        for row in rows:
            with isolate_failure("matching a purchase", purchase_id=str(row.id)):
                await self._match(row.id, listing)

    async def _match(self, row_id: UUID, listing: Listing[CarrierOrder]) -> None:
        order: CarrierOrder | None = None
        async with self._sessions.begin() as session:
            (row,) = await self.queries(session, EVERYTHING).all_of([row_id], for_update=True)
            if row.state != PurchaseState.UNKNOWN:
                return
            fitting = self.lost_calls.candidates(row, listing.items)
            taken = await self.taken(session, fitting)
            listing = replace(listing, items=fitting)
            for _, order in self.lost_calls.settle([row], listing, taken, give_up=self._give_up):
                if order is not None:
                    row.mark_ordered(order.number)
                    await self.store_order(session, order)
                else:
                    row.mark_failed(NOT_FOUND)
        await self.settled(row, order)


async def _orders_since(carrier: Carrier, since: datetime) -> Listing[CarrierOrder]:
    """The newest pages of orders, until one has none placed since `since` by the carrier's clock."""
    earliest = since - MAX_CLOCK_SKEW

    async def read(page: int) -> Sequence[CarrierOrder]:
        return (await carrier.list_orders(page, priority=Priority.BACKGROUND)).orders

    def is_last(page: Sequence[CarrierOrder]) -> bool:
        return all(order.placed_at is not None and order.placed_at < earliest for order in page)

    return await read_pages(read, is_last, most_pages=_MOST_PAGES)
