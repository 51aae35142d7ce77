"""HTTP: open and read support tickets."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from fleet_kit.database import DbSession
from fleet_kit.pagination import Page, Paging
from fleet_kit.principal import CurrentOperator, CurrentUser
from fleet_kit.schemas import Text
from sim_service.carrier.facts import TicketToOpen
from sim_service.jobs.api import location
from sim_service.jobs.models import JobKind
from sim_service.jobs.schemas import JobOut
from sim_service.jobs.service import JobService
from sim_service.repeats import RepeatKey
from sim_service.resources import AppCarrier, AppSessions, AppSettings
from sim_service.tickets.models import SupportTicket
from sim_service.tickets.schemas import EntryOut, TicketIn, TicketOut
from sim_service.tickets.service import TicketService
from sim_service.tickets.sync import TicketSync

router = APIRouter(tags=["support tickets"])
Status = Annotated[Text | None, Query(max_length=40, description="such as open, in_progress, closed")]


@router.get("/support-tickets")
async def list_tickets(
    user: CurrentUser, session: DbSession, paging: Paging, status: Status = None
) -> Page[TicketOut]:
    """Tickets of the organisation, newest first, as they were last heard of."""
    return (await TicketService(session, user.scope).find(status, paging)).shown_as(TicketOut.of, paging)


@router.post("/support-tickets", status_code=201)
async def open_ticket(
    body: TicketIn,
    user: CurrentOperator,
    sessions: AppSessions,
    carrier: AppCarrier,
    settings: AppSettings,
    repeat: RepeatKey,
) -> TicketOut:
    """Ask the carrier's support for help. `unknown`: its answer was lost, and its list will tell."""
    async with sessions.begin() as session:
        tickets, owner = TicketService(session, user.scope), str(user.organization_id)
        known = await repeat.within(session).replay(owner)
        if known and await tickets.exists(UUID(known["id"])):
            return TicketOut.of(await tickets.get(UUID(known["id"])))
        ticket = await tickets.write(
            SupportTicket(
                organization_id=user.organization_id,
                subject=body.subject,
                text=body.text,
                sender=user.email,
                reply_to=body.reply_to or user.email,
                requested_by=user.user_id,
            )
        )
        await repeat.within(session).remember(owner, {"id": str(ticket.id)})
        await JobService(session).request(JobKind.SYNC_TICKETS)
    wanted = TicketToOpen(body.subject, body.text, user.email, body.reply_to or user.email)
    await TicketSync(sessions, carrier, settled_after=settings.ticket_settled_seconds).open(ticket.id, wanted)
    async with sessions() as session:
        return TicketOut.of(await TicketService(session, user.scope).get(ticket.id))


@router.post("/support-tickets/sync", status_code=202)
async def sync_tickets(user: CurrentOperator, session: DbSession, response: Response) -> JobOut:
    """Have the worker take over the carrier's list; while such a job is open, it is that one."""
    job = await JobService(session, user.scope).request(JobKind.SYNC_TICKETS, user.user_id)
    response.headers["Location"] = location(job.id)
    return JobOut.of(job, user)


@router.get("/support-tickets/{ticket_id}")
async def read_ticket(ticket_id: UUID, user: CurrentUser, session: DbSession) -> TicketOut:
    """One ticket; its conversation is below it."""
    return TicketOut.of(await TicketService(session, user.scope).get(ticket_id))


@router.get("/support-tickets/{ticket_id}/conversation")
async def read_conversation(
    ticket_id: UUID, user: CurrentUser, session: DbSession, paging: Paging
) -> Page[EntryOut]:
    """What was said, oldest first."""
    found = await TicketService(session, user.scope).conversation(ticket_id, paging)
    return found.shown_as(EntryOut.model_validate, paging)
