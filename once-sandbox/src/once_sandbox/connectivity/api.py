"""Connectivity of one SIM."""

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from once_sandbox.connectivity import service, sessions
from once_sandbox.connectivity.info import connectivity_info
from once_sandbox.connectivity.schemas import status_v1, status_v2
from once_sandbox.deps import CurrentWorld
from once_sandbox.sims.service import changeable, owned
from once_sandbox.volume_limits.service import data_stopped
from once_sandbox.wire import empty

router = APIRouter(tags=["Connectivity"])


@router.get("/v1/sims/{iccid}/status")
async def read_status_v1(iccid: str, world: CurrentWorld) -> JSONResponse:
    """The v1 status."""
    sim = owned(world, iccid)
    connection = service.connection_of(world, sim)
    return JSONResponse(status_v1(sim, connection, world.clock.now(), world.behaviours))


@router.get("/v2/sims/{iccid}/status")
async def read_status_v2(iccid: str, world: CurrentWorld) -> JSONResponse:
    """The v2 status."""
    sim = owned(world, iccid)
    connection = service.connection_of(world, sim)
    return JSONResponse(status_v2(sim, connection, limited=data_stopped(world, sim)))


@router.get("/v1/sims/{iccid}/connectivity_info")
async def read_info(
    iccid: str, world: CurrentWorld, subscriber: bool = True, ussd: bool = False
) -> JSONResponse:
    """The cell of a device that is attached to 2G or 3G."""
    sim = owned(world, iccid)
    connection = service.connection_of(world, sim)
    now = world.clock.now()
    return JSONResponse(connectivity_info(sim, connection, now, subscriber=subscriber, ussd=ussd))


@router.post("/v1/sims/{iccid}/reset")
@router.post("/v2/sims/{iccid}/reset")
async def reset(iccid: str, world: CurrentWorld) -> Response:
    """Queue a connectivity reset: 201 without a body."""
    sim = changeable(world, [iccid])[0]
    sessions.plan_reset(world, sim)
    return empty(201)
