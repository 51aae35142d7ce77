"""/v1/sims and /v2/sims: list, read, change."""

from typing import Annotated

from fastapi import APIRouter, Body, Query, Response
from fastapi.responses import JSONResponse

from once_sandbox.deps import CurrentWorld
from once_sandbox.paging import paging
from once_sandbox.sims import service
from once_sandbox.sims.schemas import SimUpdate, SimUpdateV1, sim_card
from once_sandbox.wire import empty

router = APIRouter(tags=["General SIMs"])
MOST_IN_BULK = 10_000


@router.get("/v1/sims")
@router.get("/v2/sims")
async def list_sims(
    world: CurrentWorld,
    page: str | None = None,
    page_size: Annotated[str | None, Query(alias="pageSize")] = None,
    q: str | None = None,
    sort: str | None = None,
) -> JSONResponse:
    """A page of the customer's SIMs, the totals in the headers."""
    wanted = paging(page, page_size, default=10, largest=100)
    found = service.search(world, query=q, sort=sort)
    rows = [sim_card(sim, world.behaviours) for sim in wanted.cut(found)]
    return JSONResponse(rows, headers=wanted.headers(len(found), len(rows)))


@router.post("/v1/sims")
async def update_sims(
    changes: Annotated[list[SimUpdateV1], Body(min_length=1, max_length=MOST_IN_BULK)], world: CurrentWorld
) -> Response:
    """Queue changes of many SIMs: 201 without a body, visible some time later."""
    service.update_many(world, changes)
    return empty(201)


@router.get("/v1/sims/{iccid}")
@router.get("/v2/sims/{iccid}")
async def read_sim(iccid: str, world: CurrentWorld) -> JSONResponse:
    """One SIM."""
    return JSONResponse(sim_card(service.owned(world, iccid), world.behaviours, single=True))


@router.put("/v1/sims/{iccid}")
async def update_sim_v1(iccid: str, change: SimUpdateV1, world: CurrentWorld) -> Response:
    """Change one SIM: 200 without a body."""
    service.update(world, iccid, change)
    return empty(200)


@router.put("/v2/sims/{iccid}")
async def update_sim_v2(iccid: str, change: SimUpdate, world: CurrentWorld) -> Response:
    """Change one SIM: 200 without a body."""
    service.update(world, iccid, change)
    return empty(200)
