"""HTTP: what the carrier's SMS forwarder pushes."""

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Request

from fleet_kit.errors import BadRequest, invalid
from fleet_kit.schemas import ResponseModel
from sim_service.push.access import PushCaller
from sim_service.sms.forwarder import SmsForwarder

router = APIRouter(tags=["push"])

_BODY: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}
}


class PushedOut(ResponseModel):
    """The carrier's id of the message; it is stored."""

    id: str


def _forwarder(request: Request) -> SmsForwarder:
    forwarder: SmsForwarder = request.app.state.sms_forwarder
    return forwarder


Forwarder = Annotated[SmsForwarder, Depends(_forwarder)]


@router.post("/sim/push/sms", openapi_extra=_BODY)
async def take_message(request: Request, caller: PushCaller, forwarder: Forwarder) -> PushedOut:
    """A message from a SIM, or a part of one; 200 once it is stored, and again when it comes again."""
    return PushedOut(id=await forwarder.receive(await _record(request)))


@router.patch("/sim/push/sms", openapi_extra=_BODY)
async def take_report(request: Request, caller: PushCaller, forwarder: Forwarder) -> PushedOut:
    """A delivery report; 200 once it is stored, also for a message that is not known (yet)."""
    return PushedOut(id=await forwarder.report(await _record(request)))


async def _record(request: Request) -> dict[str, Any]:
    try:
        record = orjson.loads(await request.body())
    except orjson.JSONDecodeError:
        raise BadRequest("the body is not valid JSON", code="MALFORMED_JSON") from None
    if not isinstance(record, dict):
        raise invalid("", "is not an object")
    return record
