"""Brings every purchase for a SIM to its end by the carrier's orders, or by quotas where it shows none."""

from collections.abc import Hashable, Sequence
from datetime import timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.database import Sessions
from fleet_kit.errors import FleetError
from fleet_kit.outbox import Outbox
from fleet_kit.scope import EVERYTHING
from sim_service.billing.purchases.models import NOT_FOUND, PurchaseState
from sim_service.billing.purchases.reconciliation import PurchaseReconciler, within_round
from sim_service.billing.topups import events, metrics
from sim_service.billing.topups.matching import LOST_TOP_UPS, apply_order, quota_grew
from sim_service.billing.topups.models import TopUp
from sim_service.billing.topups.repository import TopUpRepository
from sim_service.carrier.base import Carrier
from sim_service.carrier.errors import CARRIER_UNAVAILABLE_ERRORS, CarrierOperationUnavailable
from sim_service.carrier.models import CarrierOrder, Priority, QuotaKind
from sim_service.usage.quotas.service import QuotaService
from sim_service.work.failures import isolate_failure

log = structlog.get_logger(__name__)
_REFRESHED_AT_ONCE = 20
_QUOTA_PATIENCE = timedelta(days=7)
"""Where only the quota can tell, a bank transfer has to have time to arrive before a purchase is given up."""


class TopUpReconciler(PurchaseReconciler[TopUp]):
    """Also learns of orders that somebody else has read: see `match_new` and `order_changed`."""

    queries, lost_calls, batch = TopUpRepository, LOST_TOP_UPS, 200

    def __init__(self, sessions: Sessions, carrier: Carrier, *, give_up: float) -> None:
        super().__init__(sessions, carrier, give_up=give_up)
        self._quotas = QuotaService(sessions, EVERYTHING, carrier, fresh=0)

    async def poll(self) -> int:
        """Follow the purchases that are due; how many there were."""
        due = await self.claim_due()
        unknown = [row for row in due if row.state == PurchaseState.UNKNOWN]
        ordered = [row for row in due if row.state == PurchaseState.ORDERED]
        try:
            with isolate_failure("finding lost purchases"):
                await self._find(unknown)
            await self._follow(ordered)
        except CARRIER_UNAVAILABLE_ERRORS as error:
            log.info("purchases wait for the carrier", error=error.code, waiting=len(due))
        return len(due)

    async def _find(self, rows: Sequence[TopUp]) -> None:
        try:
            await self.find_lost(rows)
        except CarrierOperationUnavailable:
            await self._by_quotas(rows)

    async def taken(self, session: AsyncSession, orders: Sequence[CarrierOrder]) -> set[Hashable]:
        return {*await TopUpRepository(session, EVERYTHING).assigned([order.number for order in orders])}

    async def settled(self, row: TopUp, order: CarrierOrder | None) -> None:
        metrics.RECONCILIATIONS.labels(row.state if order is None else "order").inc()
        if order is not None:
            await self.apply(order)

    async def _follow(self, rows: Sequence[TopUp]) -> None:
        """Read their orders; those for which there is no time are due again at once."""
        begun = set[str]()
        for number in within_round(dict.fromkeys(row.order_number for row in rows if row.order_number)):
            begun.add(number)
            try:
                with isolate_failure("following an order", number=number):
                    order = await self._carrier.get_order(number, priority=Priority.BACKGROUND)
                    await self.apply(order)
            except CarrierOperationUnavailable:
                await self._by_quotas(rows)
                return
        await self._skip([row for row in rows if row.order_number not in begun])

    async def _skip(self, rows: Sequence[TopUp]) -> None:
        async with self._sessions.begin() as session:
            ids = [row.id for row in rows]
            for row in await TopUpRepository(session, EVERYTHING).all_of(ids, for_update=True):
                row.skip_poll()

    async def match_new(self, session: AsyncSession, orders: Sequence[CarrierOrder]) -> None:
        """Find the purchases of new orders: they may have been lost, or given up too early.

        In the transaction that stores the orders: later they are no longer new, and nobody would look again.
        """
        ledger = TopUpRepository(session, EVERYTHING)
        taken = await self.taken(session, orders)
        for order in orders:
            for row in await ledger.without_order(order.iccids, NOT_FOUND):
                identity = self.lost_calls.identity(row, order)
                free = self.lost_calls.candidates(row, [order]) and identity not in taken
                if not free or await ledger.unsettled(row.iccid) not in {None, row}:
                    continue
                if row.mark_ordered(order.number):
                    taken.add(identity)

    async def order_changed(self, number: str) -> None:
        """Somebody who waits has read an order that has changed: poll its purchases next."""
        async with self._sessions.begin() as session:
            for row in await TopUpRepository(session, EVERYTHING).of_order(number):
                row.poll_soon()

    async def apply(self, order: CarrierOrder) -> None:
        """Bring every purchase of an order up to the carrier's facts; publishes what that booked."""
        async with self._sessions.begin() as session:
            rows = await TopUpRepository(session, EVERYTHING).of_order(order.number)
            booked = [row for row in rows if apply_order(row, order)]
            await Outbox(session).add(*(event for row in booked for event in events.booked(row)))
        await self._refresh(booked)

    async def _by_quotas(self, rows: Sequence[TopUp]) -> None:
        """Without a list of orders: volume that appeared since the purchase was entered is the purchase's."""
        for row in rows:
            with isolate_failure("reading a quota", top_up_id=str(row.id)):
                await self._by_quota(row)

    async def _by_quota(self, row: TopUp) -> None:
        quota = await self._carrier.quota(row.iccid, QuotaKind.DATA, priority=Priority.BACKGROUND)
        grew = quota_grew(row, quota)
        async with self._sessions.begin() as session:
            (row,) = await TopUpRepository(session, EVERYTHING).all_of([row.id], for_update=True)
            booked = bool(grew) and row.mark_booked()
            if grew is False and row.state == PurchaseState.UNKNOWN and row.overdue(_QUOTA_PATIENCE):
                row.mark_failed(NOT_FOUND)
            if booked:
                await Outbox(session).add(*events.booked(row))
        await self._refresh([row] if booked else [])

    async def _refresh(self, rows: Sequence[TopUp]) -> None:
        """Show the new volume at once; for an order of many SIMs the jobs on quotas do the rest."""
        metrics.BOOKED.inc(len(rows))
        for row in rows[:_REFRESHED_AT_ONCE]:
            for kind in QuotaKind:
                try:
                    await self._quotas.refresh(row.iccid, kind, Priority.BACKGROUND)
                except FleetError as error:
                    log.info("quota not refreshed", iccid=row.iccid, error=error.code)
