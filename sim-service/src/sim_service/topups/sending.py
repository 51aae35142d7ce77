"""Asking the carrier for what the ledger intends, once."""

from collections.abc import Callable, Sequence
from contextlib import suppress

from fleet_kit.database import Sessions
from fleet_kit.errors import FleetError
from fleet_kit.scope import EVERYTHING
from sim_service.carrier.base import Carrier
from sim_service.carrier.errors import (
    CarrierBadAnswer,
    CarrierOperationUnavailable,
    CarrierOutcomeUnknown,
    CarrierRejected,
    CarrierSimNotFound,
)
from sim_service.carrier.facts import PaymentMethod, Priority
from sim_service.topups.models import PurchaseKind, TopUp
from sim_service.topups.repository import TopUpRepository

_ONE_BY_ONE = (CarrierRejected, CarrierSimNotFound, CarrierOperationUnavailable)
"""Refusals of an order for many SIMs that need not hold for each of them."""


class Sender:
    """Sends intents. Each is marked as sent before the carrier is asked, and never sent again."""

    def __init__(self, sessions: Sessions, carrier: Carrier, priority: Priority) -> None:
        self._sessions, self._carrier, self._priority = sessions, carrier, priority

    async def one(self, row: TopUp) -> None:
        """Order what is intended for one SIM; raises the carrier's refusal, which then is noted."""
        mine = await self._write([row], TopUp.sent)
        try:
            await self._ask(mine)
        except FleetError as error:
            await self._write(mine, TopUp.failed, error.code)
            raise

    async def together(self, rows: Sequence[TopUp]) -> None:
        """Order what is intended for many SIMs in one call, or SIM by SIM where that is refused.

        What another worker has marked as sent meanwhile is that one's: nothing here changes it.
        """
        mine = await self._write(rows, TopUp.sent)
        try:
            await self._ask(mine)
        except _ONE_BY_ONE:
            await self._one_by_one(await self._write(mine, TopUp.unsent))
        except FleetError as error:
            await self._write(mine, TopUp.failed, error.code)

    async def _one_by_one(self, rows: Sequence[TopUp]) -> None:
        for number, row in enumerate(rows, start=1):
            with suppress(FleetError):
                await self.one(row)
            await self._write(rows[number:], TopUp.waits)

    async def _ask(self, rows: Sequence[TopUp]) -> None:
        if not rows:
            return
        try:
            number = await self._order(rows)
        except (CarrierOutcomeUnknown, CarrierBadAnswer) as error:
            await self._write(rows, TopUp.unclear, error.code)
            return
        if number:
            await self._write(rows, TopUp.ordered, number)
        else:
            await self._write(rows, TopUp.unclear, CarrierOutcomeUnknown.default_code)

    async def _order(self, rows: Sequence[TopUp]) -> str:
        iccids, first = [row.iccid for row in rows], rows[0]
        if first.kind == PurchaseKind.EXTENSION:
            return await self._carrier.extend_sims(iccids, first.product_id, priority=self._priority)
        payment = PaymentMethod(first.payment_method)
        return await self._carrier.top_up(iccids, payment, priority=self._priority)

    async def _write(self, rows: Sequence[TopUp], change: Callable[..., bool], *values: str) -> list[TopUp]:
        """Those of the rows that the change was right for, as they are now."""
        async with self._sessions.begin() as session:
            ids = [row.id for row in rows]
            found = await TopUpRepository(session, EVERYTHING).all_of(ids, for_update=True)
            return [row for row in found if change(row, *values)]
