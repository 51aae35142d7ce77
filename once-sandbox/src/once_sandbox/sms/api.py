"""Messages of one SIM: list, send, read, cancel."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse

from once_sandbox.deps import CurrentWorld
from once_sandbox.errors import ApiError
from once_sandbox.paging import paging
from once_sandbox.sims.service import owned
from once_sandbox.sms import service
from once_sandbox.sms.schemas import SmsMessage, sms_v1, sms_v2
from once_sandbox.wire import empty

router = APIRouter(tags=["SMS"])


@router.get("/v1/sims/{iccid}/sms")
async def list_sms_v1(
    iccid: str,
    world: CurrentWorld,
    page: str | None = None,
    page_size: Annotated[str | None, Query(alias="pageSize")] = None,
) -> JSONResponse:
    """Messages of the last 7 days, newest first."""
    sim = owned(world, iccid)
    wanted = paging(page, page_size, default=10, largest=100)
    found = world.sms.of(iccid, world.clock.now())
    rows = [sms_v1(sim, sms) for sms in wanted.cut(found)]
    return JSONResponse(rows, headers=wanted.headers(len(found), len(rows)))


@router.get("/v2/sims/{iccid}/sms")
async def list_sms_v2(
    iccid: str, world: CurrentWorld, page: str | None = None, per_page: str | None = None
) -> JSONResponse:
    """Messages of the last 7 days, newest first."""
    sim = owned(world, iccid)
    wanted = paging(page, per_page, default=20, largest=1000, name="per_page")
    found = world.sms.of(iccid, world.clock.now())
    rows = [sms_v2(sim, sms, world.behaviours) for sms in wanted.cut(found)]
    return JSONResponse(rows, headers=wanted.headers(len(found), len(rows)))


@router.post("/v1/sims/{iccid}/sms")
async def send_sms_v1(iccid: str, message: SmsMessage, world: CurrentWorld) -> Response:
    """201 without a body; the Location names an internal host."""
    sms = service.send(world, iccid, message)
    return empty(201, Location=f"{world.behaviours.sms_location_host}/v1/sims/{iccid}/sms/{sms.id}")


@router.post("/v2/sims/{iccid}/sms")
async def send_sms_v2(iccid: str, message: SmsMessage, world: CurrentWorld) -> JSONResponse:
    """201 with the id."""
    sms = service.send(world, iccid, message)
    return JSONResponse({"id": str(sms.id)}, status_code=201)


@router.get("/v1/sims/{iccid}/sms/{number}")
async def read_sms_v1(iccid: str, number: str, world: CurrentWorld) -> JSONResponse:
    """One message."""
    sim = owned(world, iccid)
    return JSONResponse(sms_v1(sim, service.find(world, iccid, number)))


@router.get("/v2/sims/{iccid}/sms/{number}")
async def read_sms_v2(iccid: str, number: str, world: CurrentWorld) -> JSONResponse:
    """One message."""
    sim = owned(world, iccid)
    return JSONResponse(sms_v2(sim, service.find(world, iccid, number), world.behaviours))


@router.delete("/v1/sims/{iccid}/sms/{number}")
async def cancel_sms_v1(iccid: str, number: str, world: CurrentWorld) -> Response:
    """200 if it was cancelled, 204 if there was nothing left to cancel."""
    owned(world, iccid)
    return empty(200 if service.cancel(world, service.find(world, iccid, number)) else 204)


@router.delete("/v2/sims/{iccid}/sms/{number}")
async def cancel_sms_v2(iccid: str, number: str, world: CurrentWorld) -> JSONResponse:
    """The id of the cancelled message."""
    owned(world, iccid)
    sms = service.find(world, iccid, number)
    if not service.cancel(world, sms):
        raise ApiError(400, f"SMS {number} can no longer be cancelled")
    return JSONResponse({"id": str(sms.id)})
