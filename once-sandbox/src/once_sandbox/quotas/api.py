"""What is left of a SIM's data and messages."""

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from once_sandbox.deps import CurrentWorld
from once_sandbox.quotas.schemas import Service, quota_of, quota_v1, quota_v2
from once_sandbox.sims.service import owned

router = APIRouter(tags=["SIM Usage"])


@router.get("/v1/sims/{iccid}/quota/{service}")
async def read_quota_v1(iccid: str, service: Service, world: CurrentWorld) -> JSONResponse:
    """The v1 quota."""
    sim = owned(world, iccid)
    return JSONResponse(quota_v1(quota_of(sim, service), service, world.behaviours))


@router.get("/v2/sims/{iccid}/quota/{service}")
async def read_quota_v2(iccid: str, service: Service, world: CurrentWorld) -> JSONResponse:
    """The v2 quota."""
    return JSONResponse(quota_v2(owned(world, iccid), service, world.clock.now()))
