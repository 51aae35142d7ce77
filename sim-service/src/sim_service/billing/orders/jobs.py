"""The job that stores the carrier's orders."""

from datetime import UTC, datetime
from itertools import count

from fleet_kit.database import Sessions
from fleet_kit.errors import NotFound
from fleet_kit.scope import EVERYTHING
from sim_service.billing.orders.repository import OrderRepository
from sim_service.billing.orders.upsert import UpsertResult, upsert_orders
from sim_service.billing.sync_watermarks.models import CarrierList
from sim_service.billing.sync_watermarks.queries import mark_read
from sim_service.billing.topups.reconciliation import TopUpReconciler
from sim_service.carrier.base import Carrier
from sim_service.carrier.models import CarrierOrder, Priority
from sim_service.work.jobs.handle import JobLease
from sim_service.work.jobs.models import JobKind
from sim_service.work.jobs.service import JobService


class OrderSyncJob:
    """Reads the list from its newest page back to what is known and final, then what else is unfinished.

    Only orders that were known when the last successful sync began prove that those before them are known:
    others may have been stored by a request that read the newest page, or by a sync that did not end.
    """

    def __init__(self, sessions: Sessions, carrier: Carrier, top_ups: TopUpReconciler) -> None:
        self._sessions, self._carrier, self._top_ups = sessions, carrier, top_ups

    async def run(self, lease: JobLease) -> None:
        """A restarted job begins anew, since new orders shift all pages."""
        started = datetime.now(UTC)
        async with self._sessions.begin() as session:
            (await lease.lock_job(session)).done = 0
        await self._read_new(lease)
        await self._read_unfinished(lease, synced_before=started)
        async with self._sessions.begin() as session:
            await lease.lock_job(session)
            await OrderRepository(session, EVERYTHING).own_items()
            await mark_read(session, CarrierList.ORDERS)

    async def _read_new(self, lease: JobLease) -> None:
        async with self._sessions() as session:
            last_success = await JobService(session).last_success(JobKind.SYNC_ORDERS)
        for page in count(1):
            listed = await self._carrier.list_orders(page, priority=Priority.BACKGROUND)
            if not listed.orders:
                return
            stored = await self._store(lease, listed.orders, total=listed.total)
            if stored.settled_before(last_success):
                return

    async def _read_unfinished(self, lease: JobLease, *, synced_before: datetime) -> None:
        async with self._sessions() as session:
            numbers = await OrderRepository(session, EVERYTHING).unfinished(synced_before=synced_before)
        for number in numbers:
            try:
                order = await self._carrier.get_order(number, priority=Priority.BACKGROUND)
            except NotFound:
                continue
            await self._store(lease, [order])

    async def _store(
        self, lease: JobLease, orders: list[CarrierOrder], *, total: int | None = None
    ) -> UpsertResult:
        async with self._sessions.begin() as session:
            job = await lease.lock_job(session)
            stored = await upsert_orders(session, orders, self._carrier.name)
            job.done += len(orders)
            job.total = total if total is not None else job.total
            job.count(new=len(stored.new), changed=len(stored.changed))
            await self._top_ups.match_new(session, stored.new)
        for order in (*stored.new, *stored.changed):
            await self._top_ups.apply(order)
        return stored
