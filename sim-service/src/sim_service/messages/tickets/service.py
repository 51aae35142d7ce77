"""The rules of tickets: opened once and found in the carrier's list, which shows their numbers."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.errors import NotFound
from fleet_kit.ids import uuid7
from fleet_kit.keyset_pagination import PageResult
from fleet_kit.limits import Defaults, Limits
from fleet_kit.pagination import PageParams
from fleet_kit.principal import Principal
from fleet_kit.scope import EVERYTHING, Scope
from sim_service.carrier.lost_calls import Listing, LostCalls
from sim_service.carrier.models import CarrierTicket, TicketEntry, TicketToOpen
from sim_service.grants.models import Switch
from sim_service.grants.service import GrantService
from sim_service.messages.tickets.limits import TICKETS
from sim_service.messages.tickets.models import FAILED, OPENING, SupportTicket, SupportTicketEntry
from sim_service.messages.tickets.repository import TicketRepository

LOST_TICKETS: LostCalls[SupportTicket, CarrierTicket] = LostCalls(
    sent_at=lambda ticket: ticket.asked_at or ticket.created_at,
    appeared_at=lambda facts: facts.created_at,
    same_content=lambda ticket, facts: facts.has_content(ticket.subject, ticket.text),
    identity=lambda ticket, facts: facts.id,
    clock_tolerance=timedelta(minutes=10),
)


class TicketService:
    """Tickets as one organisation sees them; those that nobody here opened only with EVERYTHING."""

    def __init__(self, session: AsyncSession, scope: Scope = EVERYTHING) -> None:
        self._session, self._tickets = session, TicketRepository(session, scope)

    async def get(self, ticket_id: UUID) -> SupportTicket:
        ticket = await self.opened(ticket_id)
        if ticket is None:
            raise NotFound("no such ticket", code="TICKET_NOT_FOUND")
        return ticket

    async def opened(self, ticket_id: UUID) -> SupportTicket | None:
        """None also for a ticket that was forgotten because the carrier did not open it."""
        return await self._tickets.get(ticket_id)

    async def find(self, status: str | None, paging: PageParams) -> PageResult[SupportTicket]:
        return await self._tickets.page(status, paging)

    async def conversation(self, ticket_id: UUID, paging: PageParams) -> PageResult[SupportTicketEntry]:
        """One page of a ticket's conversation, oldest first; raises NotFound."""
        await self.get(ticket_id)
        return await self._tickets.conversation(ticket_id, paging)

    async def write(self, wanted: TicketToOpen, user: Principal, limits: Defaults) -> SupportTicket:
        """Store a ticket before the carrier is asked to open it; raises Forbidden NOT_GRANTED, Conflict."""
        await GrantService(self._session).require(user.organization_id, Switch.TICKETS)
        await Limits(self._session, limits).take(user.organization_id, TICKETS)
        ticket = SupportTicket(
            **asdict(wanted),
            organization_id=user.organization_id,
            requested_by=user.user_id,
            status=OPENING,
            asked_at=datetime.now(UTC),
        )
        self._tickets.add(ticket)
        await self._session.flush()
        return ticket

    async def forget(self, ticket_id: UUID) -> None:
        """Forget a ticket that was certainly not opened; it counts no more."""
        organization_id = await self._tickets.drop(ticket_id)
        if organization_id is not None:
            await Limits(self._session, {}).give_back(organization_id, TICKETS)

    async def upsert(self, page: Sequence[CarrierTicket]) -> None:
        """Store tickets of the carrier's list, newest first; our tickets without a number are found in it."""
        await self._tickets.lock_list()
        now = datetime.now(UTC)
        listing = Listing(page[::-1], complete=False, begun_at=now)
        known = await self._tickets.known({facts.id for facts in page})
        unseen = await self._tickets.unseen()
        for ticket, found in LOST_TICKETS.settle(unseen, listing, {*known}, give_up=timedelta(0)):
            if found is not None:
                known[found.id] = ticket
        rows: list[dict[str, Any]] = []
        for facts in listing.items:
            ticket = known.get(facts.id) or SupportTicket(id=uuid7(), created_at=now)
            ticket.update_from_carrier(facts, now)
            self._tickets.add(ticket)
            rows += [_row(ticket, number, entry) for number, entry in enumerate(facts.entries, 1)]
        await self._session.flush()
        await self._tickets.write_entries(rows)

    async def fail_missing(self, begun_at: datetime, *, give_up: timedelta) -> None:
        """The whole list was stored since `begun_at`: what it had to show by then was not opened."""
        await self._tickets.lock_list()
        listing: Listing[CarrierTicket] = Listing((), complete=True, begun_at=begun_at)
        for ticket, _ in LOST_TICKETS.settle(await self._tickets.unseen(), listing, set(), give_up=give_up):
            ticket.status = FAILED


def _row(ticket: SupportTicket, number: int, entry: TicketEntry) -> dict[str, Any]:
    return {
        "ticket_id": ticket.id,
        "number": number,
        "organization_id": ticket.organization_id,
        "carrier_id": entry.id,
        "at": entry.at,
        "from_us": entry.incoming,
        "author": entry.author,
        "subject": entry.subject,
        "text": entry.text,
    }
