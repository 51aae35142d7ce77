"""Brings every purchase to its end by looking at the carrier's orders, or at quotas where it shows none."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog

from fleet_kit.database import Sessions
from fleet_kit.errors import FleetError
from fleet_kit.outbox import Outbox
from fleet_kit.scope import EVERYTHING
from sim_service.apart import apart
from sim_service.attempts import NEVER_SENT, NOT_FOUND
from sim_service.carrier.base import Carrier
from sim_service.carrier.errors import CarrierAway, CarrierOperationUnavailable
from sim_service.carrier.facts import CarrierOrder, Priority, QuotaKind
from sim_service.quotas.service import QuotaService
from sim_service.topups import events, metrics
from sim_service.topups.looking import Listed, candidates, orders_since, quota_grew, settle
from sim_service.topups.models import TopUp, TopUpState
from sim_service.topups.repository import TopUpRepository

log = structlog.get_logger(__name__)
_BATCH = 200
_REFRESHED_AT_ONCE = 20
_QUOTA_PATIENCE = timedelta(days=7)
"""Where only the quota can tell, a bank transfer has to have time to arrive before a purchase is given up."""


class Resolver:
    """`give_up`: seconds after which a purchase without an order at the carrier did not happen."""

    def __init__(self, sessions: Sessions, carrier: Carrier, *, give_up: float) -> None:
        self._sessions, self._carrier = sessions, carrier
        self._give_up = timedelta(seconds=give_up)
        self._quotas = QuotaService(sessions, EVERYTHING, carrier, fresh=0)

    async def look(self) -> int:
        """Look after the purchases that are due; how many there were."""
        due = await self._due()
        if not due:
            return 0
        unknown = [row for row in due if row.state == TopUpState.UNKNOWN]
        ordered = [row for row in due if row.state == TopUpState.ORDERED]
        try:
            with apart("finding lost purchases"):
                await self._find(unknown)
            await self._follow(ordered)
        except CarrierAway as error:
            log.info("purchases wait for the carrier", error=error.code, waiting=len(due))
        return len(due)

    async def _due(self) -> list[TopUp]:
        """Take what is due, plan its next look, and give up what no living process can be working on."""
        async with self._sessions.begin() as session:
            rows = list(await TopUpRepository(session, EVERYTHING).due(datetime.now(UTC), _BATCH))
            for row in rows:
                if row.state == TopUpState.REQUESTED:
                    row.failed(NEVER_SENT)
                elif row.state == TopUpState.SENT:
                    row.unclear("PROCESS_DIED")
                row.look_later()
        return rows

    async def _find(self, rows: Sequence[TopUp]) -> None:
        if not rows:
            return
        try:
            listed = await orders_since(self._carrier, min(row.sent_at or row.created_at for row in rows))
        except CarrierOperationUnavailable:
            await self._by_quotas(rows)
            return
        for row in rows:
            with apart("matching a purchase", top_up_id=str(row.id)):
                await self._match(row.id, listed)

    async def _match(self, row_id: UUID, listed: Listed) -> None:
        async with self._sessions.begin() as session:
            ledger = TopUpRepository(session, EVERYTHING)
            (row,) = await ledger.all_of([row_id], for_update=True)
            found = candidates(row, listed.orders)
            taken = await ledger.assigned([order.number for order in found])
            free = [order for order in found if (order.number, row.iccid) not in taken]
            if row.state != TopUpState.UNKNOWN:
                return
            if free:
                row.ordered(free[0].number)
            elif listed.complete and row.overdue(self._give_up):
                row.failed(NOT_FOUND)
            metrics.FOUND.labels("order" if free else row.state).inc()
        if free:
            await self.take_over(free[0])

    async def _follow(self, rows: Sequence[TopUp]) -> None:
        for number in sorted({row.order_number for row in rows if row.order_number}):
            try:
                with apart("following an order", number=number):
                    order = await self._carrier.get_order(number, priority=Priority.BACKGROUND)
                    await self.take_over(order)
            except CarrierOperationUnavailable:
                await self._by_quotas(rows)
                return

    async def noticed(self, order: CarrierOrder) -> None:
        """A new order was read on another way: its purchase may be looked for, or given up too early."""
        async with self._sessions.begin() as session:
            ledger = TopUpRepository(session, EVERYTHING)
            taken = await ledger.assigned([order.number])
            for row in await ledger.without_order(order.iccids, NOT_FOUND):
                fits = candidates(row, [order]) and (order.number, row.iccid) not in taken
                if fits and await ledger.unsettled(row.iccid) in {None, row} and row.ordered(order.number):
                    taken.add((order.number, row.iccid))
        await self.take_over(order)

    async def hurry(self, number: str) -> None:
        """An order has changed, as somebody who waits has read: look after its purchases next."""
        async with self._sessions.begin() as session:
            for row in await TopUpRepository(session, EVERYTHING).of_order(number):
                row.look_soon()

    async def take_over(self, order: CarrierOrder) -> None:
        """Bring every purchase of an order up to the carrier's facts, and tell of volume that was booked."""
        async with self._sessions.begin() as session:
            rows = await TopUpRepository(session, EVERYTHING).of_order(order.number)
            booked = [row for row in rows if settle(row, order)]
            await Outbox(session).add(*(event for row in booked for event in events.booked(row)))
        await self._refresh(booked)

    async def _by_quotas(self, rows: Sequence[TopUp]) -> None:
        """Without orders to look at: volume that appeared since the intent is the purchase's."""
        for row in rows:
            with apart("looking at a quota", top_up_id=str(row.id)):
                await self._by_quota(row)

    async def _by_quota(self, row: TopUp) -> None:
        quota = await self._carrier.quota(row.iccid, QuotaKind.DATA, priority=Priority.BACKGROUND)
        grew = quota_grew(row, quota)
        async with self._sessions.begin() as session:
            (row,) = await TopUpRepository(session, EVERYTHING).all_of([row.id], for_update=True)
            booked = bool(grew) and row.booked()
            if grew is False and row.state == TopUpState.UNKNOWN and row.overdue(_QUOTA_PATIENCE):
                row.failed(NOT_FOUND)
            if booked:
                await Outbox(session).add(*events.booked(row))
        await self._refresh([row] if booked else [])

    async def _refresh(self, rows: Sequence[TopUp]) -> None:
        """Let what is left be known at once; of many SIMs it is for the jobs on quotas to find out."""
        metrics.BOOKED.inc(len(rows))
        for row in rows[:_REFRESHED_AT_ONCE]:
            for kind in QuotaKind:
                try:
                    await self._quotas.refresh(row.iccid, kind, Priority.BACKGROUND)
                except FleetError as error:
                    log.info("quota not refreshed", iccid=row.iccid, error=error.code)
