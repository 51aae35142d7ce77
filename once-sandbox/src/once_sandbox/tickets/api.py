"""/v1/support."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse

from once_sandbox.deps import CurrentWorld
from once_sandbox.paging import paging
from once_sandbox.tickets import service
from once_sandbox.tickets.schemas import NewTicket, ticket_json
from once_sandbox.wire import empty

router = APIRouter(tags=["Service Requests"])


@router.get("/v1/support")
async def list_tickets(
    world: CurrentWorld,
    page: str | None = None,
    page_size: Annotated[str | None, Query(alias="pageSize")] = None,
) -> JSONResponse:
    """Tickets, newest first; a page has one unless more are asked for."""
    wanted = paging(page, page_size, default=1, largest=100)
    found = service.newest_first(world)
    rows = [ticket_json(ticket) for ticket in wanted.cut(found)]
    return JSONResponse(rows, headers=wanted.headers(len(found), len(rows)))


@router.post("/v1/support")
async def open_ticket(wanted: NewTicket, world: CurrentWorld) -> Response:
    """Open a ticket: 201 without a body."""
    service.open_ticket(world, wanted)
    return empty(201)
