"""The job that stores the carrier's tickets."""

from datetime import UTC, datetime, timedelta

from fleet_kit.database import Sessions
from sim_service.carrier.base import Carrier
from sim_service.carrier.models import Priority
from sim_service.messages.tickets.opening import sync_page
from sim_service.messages.tickets.service import TicketService
from sim_service.work.jobs.handle import JobLease


class TicketSyncJob:
    """`settled_after`: seconds after a request at which a ticket that is not in the list was not opened."""

    def __init__(self, sessions: Sessions, carrier: Carrier, *, settled_after: float) -> None:
        self._sessions, self._carrier = sessions, carrier
        self._give_up = timedelta(seconds=settled_after)

    async def run(self, lease: JobLease) -> None:
        """Raises the carrier's errors."""
        started, page, done = datetime.now(UTC), 1, 0
        while listed := await sync_page(self._sessions, self._carrier, page, Priority.BACKGROUND):
            page, done = page + 1, done + listed
            async with self._sessions.begin() as session:
                job = await lease.lock_job(session)
                job.done = done
        async with self._sessions.begin() as session:
            job = await lease.lock_job(session)
            job.total = done
            await TicketService(session).fail_missing(started, give_up=self._give_up)
