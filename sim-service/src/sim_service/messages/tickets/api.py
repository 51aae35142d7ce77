"""HTTP: open and read support tickets."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from fleet_kit.database import DbSession
from fleet_kit.errors import Conflict, invalid
from fleet_kit.openapi import raises
from fleet_kit.pagination import Page, Paging
from fleet_kit.principal import CurrentOperator, CurrentUser, Principal
from fleet_kit.schemas import Text
from sim_service.carrier.dependencies import AppCarrier
from sim_service.carrier.models import TicketToOpen
from sim_service.messages.tickets.limits import TicketLimits
from sim_service.messages.tickets.opening import open_ticket as open_at_carrier
from sim_service.messages.tickets.schemas import EntryOut, TicketIn, TicketOut
from sim_service.messages.tickets.service import TicketService
from sim_service.platform.dependencies import AppSessions, AppSettings
from sim_service.platform.idempotency import RequestIdempotency
from sim_service.work.jobs.api import location
from sim_service.work.jobs.models import JobKind
from sim_service.work.jobs.schemas import JobOut
from sim_service.work.jobs.service import JobService

router = APIRouter(tags=["support tickets"])
Status = Annotated[Text | None, Query(max_length=40, description="such as open, in_progress, closed")]


@router.get("/support-tickets")
async def list_tickets(
    user: CurrentUser, session: DbSession, paging: Paging, status: Status = None
) -> Page[TicketOut]:
    """Tickets of the organisation, newest first, as they were last heard of."""
    return (await TicketService(session, user.scope).find(status, paging)).to_page(TicketOut.of, paging)


@router.post("/support-tickets", status_code=201)
@raises(Conflict)
async def open_ticket(
    body: TicketIn,
    user: CurrentOperator,
    sessions: AppSessions,
    carrier: AppCarrier,
    idempotency: RequestIdempotency,
    limits: TicketLimits,
) -> TicketOut:
    """Ask the carrier's support for help. `unknown`: its answer was lost, and its list will tell."""
    wanted = TicketToOpen(body.subject, body.text, user.email, _reply_to(body, user))
    async with sessions.begin() as session:
        tickets, owner = TicketService(session, user.scope), str(user.organization_id)
        known = await idempotency.within(session).replay(owner)
        if known and (opened := await tickets.opened(UUID(known["id"]))):
            return TicketOut.of(opened)
        ticket = await tickets.write(wanted, user, limits)
        await idempotency.within(session).remember(owner, {"id": str(ticket.id)})
        await JobService(session).request(JobKind.SYNC_TICKETS)
    await open_at_carrier(sessions, carrier, ticket.id, wanted)
    async with sessions() as session:
        return TicketOut.of(await TicketService(session, user.scope).get(ticket.id))


def _reply_to(body: TicketIn, user: Principal) -> str:
    """One's own address; raises 422 for others, or the carrier would write to whomever a member names."""
    wanted = body.reply_to or user.email
    if wanted.lower() != user.email.lower() and not user.is_admin:
        raise invalid("reply_to", "must be your own address")
    return wanted


@router.post("/support-tickets/sync", status_code=202)
async def sync_tickets(
    user: CurrentOperator, session: DbSession, settings: AppSettings, response: Response
) -> JobOut:
    """Have the worker read the carrier's tickets: the open job, the last one while it is young, or a new one.

    It is young for SYNC_MIN_SECONDS after its end; the platform administrator need not wait.
    """
    jobs = JobService(session, user.scope)
    job = await jobs.request_sync(JobKind.SYNC_TICKETS, user, pause=settings.sync_min_seconds)
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
    return found.to_page(EntryOut.model_validate, paging)
