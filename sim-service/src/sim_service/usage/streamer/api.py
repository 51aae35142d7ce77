"""HTTP: what the carrier pushes, and what could not be read of it."""

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Request

from fleet_kit.app import API
from fleet_kit.database import DbSession
from fleet_kit.errors import BadRequest, invalid
from fleet_kit.pagination import Page, Paging
from fleet_kit.principal import CurrentUser
from sim_service.carrier.push_access import PushCaller
from sim_service.platform.dependencies import from_app
from sim_service.usage.streamer.repository import RejectedRepository
from sim_service.usage.streamer.schemas import RejectedOut, StreamedOut
from sim_service.usage.streamer.service import StreamReceiver

router = APIRouter(tags=["push"])

MOST_RECORDS = 10_000
"""The carrier sends at most 3,000; records that it repeats within a post come on top."""
BODY_LIMITS = {f"{API}/sim/push/streamer": 8 * 1024 * 1024}
"""Bytes of a post; nested records have about 700 bytes each. The gateway has the same limit."""

_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"type": "array", "maxItems": MOST_RECORDS, "items": {"type": "object"}}
            }
        },
    }
}


@router.post("/sim/push/streamer", openapi_extra=_BODY)
async def take_stream(
    request: Request, caller: PushCaller, streams: Annotated[StreamReceiver, from_app("streams")]
) -> StreamedOut:
    """The carrier's Data Streamer: usage and events, nested or flat; 200 once all of it is stored."""
    streamed = await streams.take(_records(await request.body()))
    usage, events, rejected = len(streamed.usage), len(streamed.events), len(streamed.unreadable)
    return StreamedOut(received=usage + events + rejected, usage=usage, events=events, rejected=rejected)


def _records(body: bytes) -> list[Any]:
    try:
        records = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise BadRequest("the body is not valid JSON", code="MALFORMED_JSON") from None
    if not isinstance(records, list):
        raise invalid("", "is not an array of records")
    if len(records) > MOST_RECORDS:
        raise invalid("", f"has more than {MOST_RECORDS} records")
    return records


@router.get("/sim/push/rejected")
async def list_rejected(user: CurrentUser, session: DbSession, paging: Paging) -> Page[RejectedOut]:
    """Pushed records about the organisation's SIMs that could not be read, newest first."""
    found = await RejectedRepository(session, user.scope).page(paging)
    return found.to_page(RejectedOut.model_validate, paging)
