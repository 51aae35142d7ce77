"""Queries on `support_tickets` and `support_ticket_entries`."""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from fleet_kit.keyset_pagination import PageResult, SortOrder, find_page
from fleet_kit.pagination import PageParams
from sim_service.messages.tickets.models import OPENING, UNKNOWN, SupportTicket, SupportTicketEntry
from sim_service.platform.scoped_repository import ScopedRepository

_NEWEST = SortOrder("-created_at", SupportTicket.created_at, SupportTicket.id)
_OLDEST_ENTRY = SortOrder("number", SupportTicketEntry.number, SupportTicketEntry.number)
_LOCK = 0x5449434B
"""The advisory lock of whoever stores the carrier's list."""


class TicketRepository(ScopedRepository):
    async def get(self, ticket_id: UUID) -> SupportTicket | None:
        return await self._one(self._owned(SupportTicket).where(SupportTicket.id == ticket_id))

    async def page(self, status: str | None, paging: PageParams) -> PageResult[SupportTicket]:
        statement = self._owned(SupportTicket)
        if status is not None:
            statement = statement.where(SupportTicket.status == status)
        return await find_page(self._session, statement, _NEWEST, paging)

    async def conversation(self, ticket_id: UUID, paging: PageParams) -> PageResult[SupportTicketEntry]:
        statement = self._owned(SupportTicketEntry).where(SupportTicketEntry.ticket_id == ticket_id)
        return await find_page(self._session, statement, _OLDEST_ENTRY, paging)

    async def drop(self, ticket_id: UUID) -> UUID | None:
        """Delete a ticket that was certainly not opened; whose it was, None if it is gone."""
        statement = delete(SupportTicket).where(SupportTicket.id == ticket_id)
        return await self._session.scalar(statement.returning(SupportTicket.organization_id))

    async def mark_unknown(self, ticket_id: UUID) -> None:
        """The answer was lost; without effect if the list has shown the ticket meanwhile."""
        statement = update(SupportTicket).where(
            SupportTicket.id == ticket_id, SupportTicket.carrier_id.is_(None)
        )
        await self._session.execute(statement.values(status=UNKNOWN))

    async def lock_list(self) -> None:
        """Keep others from storing the carrier's list, until the commit."""
        await self._session.execute(select(func.pg_advisory_xact_lock(_LOCK)))

    async def known(self, carrier_ids: Collection[str]) -> dict[str, SupportTicket]:
        statement = select(SupportTicket).where(SupportTicket.carrier_id.in_(carrier_ids))
        return {ticket.carrier_id: ticket for ticket in await self._all(statement) if ticket.carrier_id}

    async def unseen(self) -> Sequence[SupportTicket]:
        """Tickets that the carrier's list has not shown yet, the earliest first, locked."""
        statement = (
            select(SupportTicket)
            .where(SupportTicket.carrier_id.is_(None), SupportTicket.status.in_((OPENING, UNKNOWN)))
            .order_by(SupportTicket.asked_at)
            .with_for_update()
        )
        return await self._all(statement)

    async def write_entries(self, rows: Sequence[dict[str, Any]]) -> None:
        """Insert or update entries of conversations."""
        if not rows:
            return
        statement = insert(SupportTicketEntry)
        changed = {name: statement.excluded[name] for name in rows[0] if name not in {"ticket_id", "number"}}
        key = [SupportTicketEntry.ticket_id, SupportTicketEntry.number]
        statement = statement.on_conflict_do_update(index_elements=key, set_=changed)
        await self._session.execute(statement, list(rows))
