"""Asking the carrier for what the ledger intends, once."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from uuid import UUID

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
        try:
            await self._ask([row.id])
        except FleetError as error:
            await self._write([row.id], TopUp.failed, error.code)
            raise

    async def together(self, rows: Sequence[TopUp]) -> None:
        """Order what is intended for many SIMs in one call, or SIM by SIM where that is refused."""
        ids = [row.id for row in rows]
        try:
            await self._ask(ids)
        except _ONE_BY_ONE:
            await self._write(ids, TopUp.unsent)
            for row in rows:
                with suppress(FleetError):
                    await self.one(row)
        except FleetError as error:
            await self._write(ids, TopUp.failed, error.code)

    async def _ask(self, ids: Sequence[UUID]) -> None:
        rows = await self._write(ids, TopUp.sent)
        if not rows:
            return
        sent = [row.id for row in rows]
        try:
            number = await self._order(rows)
        except (CarrierOutcomeUnknown, CarrierBadAnswer) as error:
            await self._write(sent, TopUp.unclear, error.code)
            return
        if number:
            await self._write(sent, TopUp.ordered, number)
        else:
            await self._write(sent, TopUp.unclear, CarrierOutcomeUnknown.default_code)

    async def _order(self, rows: Sequence[TopUp]) -> str:
        iccids, first = [row.iccid for row in rows], rows[0]
        if first.kind == PurchaseKind.EXTENSION:
            return await self._carrier.extend_sims(iccids, first.product_id, priority=self._priority)
        payment = PaymentMethod(first.payment_method)
        return await self._carrier.top_up(iccids, payment, priority=self._priority)

    async def _write(self, ids: Sequence[UUID], change: Callable[..., bool], *values: str) -> list[TopUp]:
        """Those of the rows that the change was right for."""
        async with self._sessions.begin() as session:
            rows = await TopUpRepository(session, EVERYTHING).all_of(ids, for_update=True)
            return [row for row in rows if change(row, *values)]
