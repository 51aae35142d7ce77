"""Asking the carrier for top-ups and extensions that the ledger holds."""

from collections.abc import Sequence
from contextlib import suppress

from fleet_kit.database import Sessions
from fleet_kit.errors import FleetError
from sim_service.billing.purchases.submission import PurchaseCalls
from sim_service.billing.topups.models import PurchaseKind, TopUp
from sim_service.billing.topups.repository import TopUpRepository
from sim_service.carrier.base import Carrier
from sim_service.carrier.errors import CarrierOperationUnavailable, CarrierRejected, CarrierSimNotFound
from sim_service.carrier.models import PaymentMethod, Priority

_NOT_FOR_EACH = (CarrierRejected, CarrierSimNotFound, CarrierOperationUnavailable)
"""Refusals of an order for many SIMs that need not hold for each of them."""


class TopUpSender:
    """Submits rows of one purchase, all with the same kind and payment."""

    def __init__(self, sessions: Sessions, carrier: Carrier, priority: Priority) -> None:
        self._carrier, self._priority = carrier, priority
        self._calls = PurchaseCalls(sessions, TopUpRepository)

    async def one(self, row: TopUp) -> None:
        """Order for one SIM; raises the carrier's refusal, once it is noted."""
        await self._calls.submit([row], self._order)

    async def together(self, rows: Sequence[TopUp]) -> None:
        """Order for many SIMs in one call, or SIM by SIM where that is refused; refusals are noted only."""
        mine = await self._calls.mark(rows, TopUp.mark_sent)
        try:
            await self._calls.ask(mine, self._order)
        except _NOT_FOR_EACH:
            await self._one_by_one(await self._calls.mark(mine, TopUp.mark_unsent))
        except FleetError as error:
            await self._calls.mark(mine, TopUp.mark_failed, error.code)

    async def _one_by_one(self, rows: Sequence[TopUp]) -> None:
        for number, row in enumerate(rows, start=1):
            with suppress(FleetError):
                await self.one(row)
            await self._calls.mark(rows[number:], TopUp.postpone_expiry)

    async def _order(self, rows: Sequence[TopUp]) -> str:
        iccids, first = [row.iccid for row in rows], rows[0]
        if first.kind == PurchaseKind.EXTENSION:
            return await self._carrier.extend_sims(iccids, first.product_id, priority=self._priority)
        payment = PaymentMethod(first.payment_method)
        return await self._carrier.top_up(iccids, payment, priority=self._priority)
