"""HTTP: what the carrier's SMS forwarder pushes."""

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Request

from fleet_kit.errors import BadRequest, invalid
from fleet_kit.schemas import ResponseModel
from sim_service.carrier.push_access import PushCaller
from sim_service.carrier.push_sms import SmsPushReader
from sim_service.messages.sms.delivery_status import END_STATES
from sim_service.messages.sms.receive import SmsReceiver
from sim_service.platform.dependencies import AppSessions, from_app

router = APIRouter(tags=["push"])

_BODY: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}
}


class PushedOut(ResponseModel):
    """The carrier's id of the message; it is stored."""

    id: str


Reader = Annotated[SmsPushReader, from_app("sms_push_reader")]


@router.post("/sim/push/sms", openapi_extra=_BODY)
async def take_message(
    request: Request, caller: PushCaller, reader: Reader, sessions: AppSessions
) -> PushedOut:
    """A message from a SIM, or a part of one; 200 once it is stored, and again when it comes again."""
    sms = reader.received(await _record(request))
    await SmsReceiver(sessions).receive(sms)
    return PushedOut(id=sms.id)


@router.patch("/sim/push/sms", openapi_extra=_BODY)
async def take_report(
    request: Request, caller: PushCaller, reader: Reader, sessions: AppSessions
) -> PushedOut:
    """A delivery report; 200 once it is stored, also for a message that is not known (yet)."""
    report = reader.report(await _record(request))
    if (end := END_STATES.get(report.state)) is not None:
        await SmsReceiver(sessions).report(report.iccid, report.id, end, report.delivered_at)
    return PushedOut(id=report.id)


async def _record(request: Request) -> dict[str, Any]:
    try:
        record = orjson.loads(await request.body())
    except orjson.JSONDecodeError:
        raise BadRequest("the body is not valid JSON", code="MALFORMED_JSON") from None
    if not isinstance(record, dict):
        raise invalid("", "is not an object")
    return record
