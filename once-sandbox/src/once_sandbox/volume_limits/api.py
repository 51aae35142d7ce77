"""/v1/sims/limits and /v1/sims/{service}/limits."""

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from once_sandbox.deps import CurrentWorld
from once_sandbox.volume_limits import service
from once_sandbox.volume_limits.models import Service
from once_sandbox.volume_limits.schemas import SetLimits, current_limits, selectable
from once_sandbox.wire import empty

router = APIRouter(tags=["Volume Limits"])


@router.get("/v1/sims/limits")
async def read_limits(world: CurrentWorld) -> JSONResponse:
    """The limits in force."""
    return JSONResponse(current_limits(world.volume_limits))


@router.post("/v1/sims/limits")
async def set_limits(wanted: SetLimits, world: CurrentWorld) -> Response:
    """Set limits: 201 without a body."""
    service.set_limits(world, wanted)
    return empty(201)


@router.get("/v1/sims/{limited}/limits")
async def selectable_limits(limited: Service, world: CurrentWorld) -> JSONResponse:
    """The limits one can choose for a service."""
    return JSONResponse(selectable(limited, world.volume_limits, world.behaviours))
