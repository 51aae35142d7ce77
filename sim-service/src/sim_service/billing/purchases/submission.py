"""Asking the carrier for purchases, each at most once."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Generic

from fleet_kit.database import Sessions
from fleet_kit.errors import FleetError
from fleet_kit.scope import EVERYTHING
from sim_service.billing.purchases.models import Purchase
from sim_service.billing.purchases.queries import PurchaseQueries, PurchaseT
from sim_service.carrier.errors import CarrierBadAnswer, CarrierOutcomeUnknown


class PurchaseCalls(Generic[PurchaseT]):
    """Asks for purchases of one table and notes the outcome, except of those that another worker sent."""

    def __init__(self, sessions: Sessions, queries: type[PurchaseQueries[PurchaseT]]) -> None:
        self._sessions, self._queries = sessions, queries

    async def mark(
        self, rows: Sequence[PurchaseT], transition: Callable[..., bool], *values: str
    ) -> list[PurchaseT]:
        """Apply a transition to the rows as they are now; those to which it applied."""
        async with self._sessions.begin() as session:
            ids = [row.id for row in rows]
            found = await self._queries(session, EVERYTHING).all_of(ids, for_update=True)
            return [row for row in found if transition(row, *values)]

    async def submit(
        self, rows: Sequence[PurchaseT], order: Callable[[Sequence[PurchaseT]], Awaitable[str]]
    ) -> str:
        """Mark the rows as sent and ask for them with one call, see `ask`; a refusal is also noted."""
        mine = await self.mark(rows, Purchase.mark_sent)
        try:
            return await self.ask(mine, order)
        except FleetError as error:
            await self.mark(mine, Purchase.mark_failed, error.code)
            raise

    async def ask(
        self, sent: Sequence[PurchaseT], order: Callable[[Sequence[PurchaseT]], Awaitable[str]]
    ) -> str:
        """The order's number, empty if it is not known (yet), for rows marked as sent; raises refusals."""
        if not sent:
            return ""
        try:
            number = await order(sent)
        except (CarrierOutcomeUnknown, CarrierBadAnswer) as error:
            await self.mark(sent, Purchase.mark_outcome_unknown, error.code)
            return ""
        if number:
            await self.mark(sent, Purchase.mark_ordered, number)
        else:
            await self.mark(sent, Purchase.mark_outcome_unknown, CarrierOutcomeUnknown.default_code)
        return number
