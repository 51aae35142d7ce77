"""Events of one SIM: an object with totals in v1, a bare array in v2."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse

from once_sandbox.deps import CurrentWorld
from once_sandbox.events import service
from once_sandbox.events.schemas import event_v1, event_v2
from once_sandbox.paging import paging
from once_sandbox.sims.service import owned

router = APIRouter(tags=["SIM Events"])
PageSize = Annotated[str | None, Query(alias="pageSize")]


@router.get("/v1/sims/{iccid}/events")
async def list_events_v1(
    iccid: str,
    world: CurrentWorld,
    page: str | None = None,
    page_size: PageSize = None,
    sort: str | None = None,
) -> JSONResponse:
    """The v1 form."""
    sim = owned(world, iccid)
    wanted = paging(page, page_size, default=10, largest=1000)
    found = service.newest_first(world, sim, sort)
    rows = [event_v1(sim, event) for event in wanted.cut(found)]
    body = {"events": rows, "totalEvents": len(found), "totalPages": wanted.pages(len(found))}
    return JSONResponse(body, headers=wanted.headers(len(found), len(rows)))


@router.get("/v2/sims/{iccid}/events")
async def list_events_v2(
    iccid: str, world: CurrentWorld, page: str | None = None, page_size: PageSize = None
) -> JSONResponse:
    """The v2 form."""
    sim = owned(world, iccid)
    wanted = paging(page, page_size, default=10, largest=1000)
    found = service.newest_first(world, sim)
    rows = [event_v2(sim, event) for event in wanted.cut(found)]
    return JSONResponse(rows, headers=wanted.headers(len(found), len(rows)))
