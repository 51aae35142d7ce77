"""Queries on `support_tickets` and `support_ticket_entries`."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.keyset import Found, Order, find_page
from fleet_kit.pagination import PageParams
from fleet_kit.scope import Scope
from sim_service.tickets.models import FAILED, OPENING, UNKNOWN, SupportTicket, SupportTicketEntry

_NEWEST = Order("-created_at", SupportTicket.created_at, SupportTicket.id)
_OLDEST_ENTRY = Order("number", SupportTicketEntry.number, SupportTicketEntry.number)
_LOCK = 0x5449434B
"""The advisory lock of whoever takes over the carrier's list."""


class TicketRepository:
    """Tickets of one organisation, or of all with EVERYTHING."""

    def __init__(self, session: AsyncSession, scope: Scope) -> None:
        self._session, self._scope = session, scope

    async def add(self, ticket: SupportTicket) -> None:
        """A new ticket."""
        self._session.add(ticket)
        await self._session.flush()

    async def get(self, ticket_id: UUID) -> SupportTicket | None:
        """One ticket."""
        mine = self._scope.where(SupportTicket.organization_id)
        statement = select(SupportTicket).where(mine, SupportTicket.id == ticket_id)
        return (await self._session.execute(statement)).scalar_one_or_none()

    async def page(self, status: str | None, paging: PageParams) -> Found[SupportTicket]:
        """A page of tickets, newest first."""
        statement = select(SupportTicket).where(self._scope.where(SupportTicket.organization_id))
        if status is not None:
            statement = statement.where(SupportTicket.status == status)
        return await find_page(self._session, statement, _NEWEST, paging)

    async def conversation(self, ticket_id: UUID, paging: PageParams) -> Found[SupportTicketEntry]:
        """A page of a ticket's messages, oldest first."""
        mine = self._scope.where(SupportTicketEntry.organization_id)
        statement = select(SupportTicketEntry).where(mine, SupportTicketEntry.ticket_id == ticket_id)
        return await find_page(self._session, statement, _OLDEST_ENTRY, paging)

    async def drop(self, ticket_id: UUID) -> None:
        """Forget a ticket that was never opened."""
        await self._session.execute(delete(SupportTicket).where(SupportTicket.id == ticket_id))

    async def mark_unknown(self, ticket_id: UUID) -> None:
        """Nobody knows whether the ticket was opened, unless the list has shown it meanwhile."""
        statement = update(SupportTicket).where(
            SupportTicket.id == ticket_id, SupportTicket.carrier_id.is_(None)
        )
        await self._session.execute(statement.values(status=UNKNOWN))

    async def one_at_a_time(self) -> None:
        """Until the commit nobody else takes over the carrier's list."""
        await self._session.execute(select(func.pg_advisory_xact_lock(_LOCK)))

    async def known(self, carrier_ids: Collection[str]) -> dict[str, SupportTicket]:
        """The tickets with these ids of the carrier."""
        statement = select(SupportTicket).where(SupportTicket.carrier_id.in_(carrier_ids))
        found = (await self._session.execute(statement)).scalars()
        return {ticket.carrier_id: ticket for ticket in found if ticket.carrier_id is not None}

    async def unseen(self) -> list[SupportTicket]:
        """Tickets that the carrier's list has not shown yet, oldest first."""
        statement = select(SupportTicket).where(
            SupportTicket.carrier_id.is_(None), SupportTicket.status.in_((OPENING, UNKNOWN))
        )
        ordered = statement.order_by(SupportTicket.asked_at)
        return list((await self._session.execute(ordered)).scalars())

    async def give_up(self, asked_before: datetime) -> None:
        """Tickets asked for so long ago that the list would have shown them were not opened."""
        statement = update(SupportTicket).where(
            SupportTicket.carrier_id.is_(None),
            SupportTicket.status.in_((OPENING, UNKNOWN)),
            SupportTicket.asked_at < asked_before,
        )
        await self._session.execute(statement.values(status=FAILED))

    async def write_entries(self, rows: Sequence[dict[str, Any]]) -> None:
        """Bring conversations up to date."""
        if not rows:
            return
        statement = insert(SupportTicketEntry)
        changed = {name: statement.excluded[name] for name in rows[0] if name not in {"ticket_id", "number"}}
        key = [SupportTicketEntry.ticket_id, SupportTicketEntry.number]
        statement = statement.on_conflict_do_update(index_elements=key, set_=changed)
        await self._session.execute(statement, list(rows))
