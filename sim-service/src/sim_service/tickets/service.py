"""The rules of tickets: opened once and looked for in the carrier's list, which tells their numbers."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.errors import NotFound
from fleet_kit.ids import uuid7
from fleet_kit.keyset import Found
from fleet_kit.pagination import PageParams
from fleet_kit.scope import EVERYTHING, Scope
from sim_service.carrier.facts import CarrierTicket
from sim_service.tickets.models import OPENING, SupportTicket, SupportTicketEntry
from sim_service.tickets.repository import TicketRepository

_CLOCKS_DIFFER = timedelta(minutes=10)


class TicketService:
    """Tickets as one organisation sees them; those that nobody here opened only with EVERYTHING."""

    def __init__(self, session: AsyncSession, scope: Scope = EVERYTHING) -> None:
        self._tickets = TicketRepository(session, scope)

    async def get(self, ticket_id: UUID) -> SupportTicket:
        """One ticket; raises NotFound."""
        ticket = await self._tickets.get(ticket_id)
        if ticket is None:
            raise NotFound("no such ticket", code="TICKET_NOT_FOUND")
        return ticket

    async def exists(self, ticket_id: UUID) -> bool:
        """Whether there is (still) such a ticket."""
        return await self._tickets.get(ticket_id) is not None

    async def find(self, status: str | None, paging: PageParams) -> Found[SupportTicket]:
        """One page of tickets, newest first."""
        return await self._tickets.page(status, paging)

    async def conversation(self, ticket_id: UUID, paging: PageParams) -> Found[SupportTicketEntry]:
        """One page of a ticket's conversation, oldest first; raises NotFound."""
        await self.get(ticket_id)
        return await self._tickets.conversation(ticket_id, paging)

    async def write(self, ticket: SupportTicket) -> SupportTicket:
        """Note a ticket before the carrier is asked to open it."""
        ticket.status, ticket.asked_at = OPENING, datetime.now(UTC)
        await self._tickets.add(ticket)
        return ticket

    async def refused(self, ticket_id: UUID) -> None:
        """The ticket was certainly not opened: forget it."""
        await self._tickets.drop(ticket_id)

    async def in_doubt(self, ticket_id: UUID) -> None:
        """Nobody knows whether the ticket was opened."""
        await self._tickets.mark_unknown(ticket_id)

    async def take_over(self, listed: Sequence[CarrierTicket]) -> None:
        """Bring tickets up to the carrier's list; ours without a number yet are found by their words."""
        await self._tickets.one_at_a_time()
        now = datetime.now(UTC)
        known = await self._tickets.known({facts.id for facts in listed})
        unseen = await self._tickets.unseen()
        rows: list[dict[str, Any]] = []
        for facts in reversed(listed):
            ticket = known.get(facts.id) or _meant(unseen, facts)
            if ticket is None:
                ticket = SupportTicket(id=uuid7(), created_at=now)
                ticket.take_over(facts, now)
                await self._tickets.add(ticket)
            ticket.take_over(facts, now)
            rows += [_entry(ticket, number, facts) for number in range(1, len(facts.entries) + 1)]
        await self._tickets.write_entries(rows)

    async def give_up(self, asked_before: datetime) -> None:
        """Tickets that the list has not shown by now were not opened."""
        await self._tickets.give_up(asked_before)


def _meant(unseen: list[SupportTicket], facts: CarrierTicket) -> SupportTicket | None:
    """The oldest ticket of ours that this one can be; taken out of `unseen`."""
    for ticket in unseen:
        since = (ticket.asked_at or ticket.created_at) - _CLOCKS_DIFFER
        same = (ticket.subject, ticket.text.strip()) == (facts.subject, facts.text.strip())
        if same and (facts.created_at is None or facts.created_at >= since):
            unseen.remove(ticket)
            return ticket
    return None


def _entry(ticket: SupportTicket, number: int, facts: CarrierTicket) -> dict[str, Any]:
    entry = facts.entries[number - 1]
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
