"""Asking the carrier: opening a ticket, and taking over its list."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from fleet_kit.database import Sessions
from fleet_kit.errors import FleetError
from sim_service.carrier.base import AccountCalls
from sim_service.carrier.errors import CarrierAway, CarrierOperationUnavailable, CarrierOutcomeUnknown
from sim_service.carrier.facts import Priority, TicketToOpen
from sim_service.jobs.runner import Held
from sim_service.tickets.service import TicketService


class TicketSync:
    """Opens and follows tickets.

    `settled_after`: seconds after a request at which a ticket that is not in the list was not opened.
    """

    def __init__(self, sessions: Sessions, carrier: AccountCalls, *, settled_after: float) -> None:
        self._sessions, self._carrier = sessions, carrier
        self._settled = timedelta(seconds=settled_after)

    async def open(self, ticket_id: UUID, wanted: TicketToOpen) -> None:
        """Have the carrier open a ticket that is written down, and learn its number if that can be had now.

        Raises the carrier's errors where it was certainly not opened; then it is forgotten.
        """
        try:
            await self._carrier.open_ticket(wanted, priority=Priority.PEOPLE)
        except CarrierOutcomeUnknown:
            async with self._sessions.begin() as session:
                await TicketService(session).in_doubt(ticket_id)
        except FleetError:
            async with self._sessions.begin() as session:
                await TicketService(session).refused(ticket_id)
            raise
        try:
            await self._page(1, Priority.PEOPLE)
        except (*CarrierAway, CarrierOperationUnavailable):
            return

    async def run(self, held: Held) -> None:
        """The handler of jobs that take over the carrier's whole list; raises its errors."""
        started, page, done = datetime.now(UTC), 1, 0
        while listed := await self._page(page, Priority.BACKGROUND):
            page, done = page + 1, done + listed
            async with self._sessions.begin() as session:
                job = await held.in_transaction(session)
                job.done = done
        async with self._sessions.begin() as session:
            job = await held.in_transaction(session)
            job.total = done
            await TicketService(session).give_up(started - self._settled)

    async def _page(self, page: int, priority: Priority) -> int:
        """Take over one page; how many tickets were on it."""
        listed = await self._carrier.list_tickets(page, priority=priority)
        async with self._sessions.begin() as session:
            await TicketService(session).take_over(listed)
        return len(listed)
