"""Asking the carrier to open a ticket, and for its list."""

from uuid import UUID

from fleet_kit.database import Sessions
from fleet_kit.errors import FleetError
from fleet_kit.scope import EVERYTHING
from sim_service.carrier.base import Carrier
from sim_service.carrier.errors import (
    CARRIER_UNAVAILABLE_ERRORS,
    CarrierOperationUnavailable,
    CarrierOutcomeUnknown,
)
from sim_service.carrier.models import Priority, TicketToOpen
from sim_service.carrier.time_limit import optional_call
from sim_service.messages.tickets.repository import TicketRepository
from sim_service.messages.tickets.service import TicketService


async def open_ticket(sessions: Sessions, carrier: Carrier, ticket_id: UUID, wanted: TicketToOpen) -> None:
    """Have the carrier open a stored ticket; raises if it certainly did not, and the ticket is forgotten."""
    try:
        await carrier.open_ticket(wanted, priority=Priority.INTERACTIVE)
    except CarrierOutcomeUnknown:
        async with sessions.begin() as session:
            await TicketRepository(session, EVERYTHING).mark_unknown(ticket_id)
    except FleetError:
        async with sessions.begin() as session:
            await TicketService(session).forget(ticket_id)
        raise
    try:
        with optional_call():
            await sync_page(sessions, carrier, 1, Priority.INTERACTIVE)
    except (*CARRIER_UNAVAILABLE_ERRORS, CarrierOperationUnavailable):
        return


async def sync_page(sessions: Sessions, carrier: Carrier, page: int, priority: Priority) -> int:
    """Store one page of the carrier's list; how many tickets were on it."""
    listed = await carrier.list_tickets(page, priority=priority)
    async with sessions.begin() as session:
        await TicketService(session).upsert(listed)
    return len(listed)
