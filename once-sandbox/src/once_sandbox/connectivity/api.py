"""Connectivity of one SIM."""

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from once_sandbox.connectivity import service
from once_sandbox.connectivity.schemas import status_v1, status_v2
from once_sandbox.deps import CurrentWorld
from once_sandbox.sims.service import owned

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
    return JSONResponse(status_v2(sim, connection, limited=service.limit_reached(world, sim)))
