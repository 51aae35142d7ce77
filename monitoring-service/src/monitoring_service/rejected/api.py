"""HTTP: messages that were accepted and could not be stored."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request

from fleet_kit.errors import invalid
from fleet_kit.pagination import Page, Paging, encode_cursor
from fleet_kit.principal import CurrentUser
from monitoring_service.rejected.schemas import RejectedOut
from monitoring_service.rejected.service import RejectedQueries
from monitoring_service.store.client import Document
from monitoring_service.store.request_reads import RequestReads
from monitoring_service.store.scans import Position

router = APIRouter(prefix="/monitoring/rejected", tags=["rejected"])


@router.get("")
async def list_rejected(
    user: CurrentUser, request: Request, reads: RequestReads, paging: Paging, device_id: UUID | None = None
) -> Page[RejectedOut]:
    """The newest first; pages by cursor. `total` may be a few too many where it is more than 2,000."""
    state = request.app.state
    queries = RejectedQueries(state.store, user.scope, state.settings.rejected_retention, reads)
    device = str(device_id) if device_id else None
    shown, rest = await queries.page(device, _position(paging.position(3)), paging.page_size)
    cursor = encode_cursor(list(rest)) if rest else None
    total = None if paging.cursor or device else await queries.count()
    return Page(
        items=[_out(row) for row in shown], total=total, page_size=paging.page_size, next_cursor=cursor
    )


def _position(values: list[Any] | None) -> Position | None:
    if values is None:
        return None
    moment, key, nth = values
    numbers = [number for number in (moment, nth) if type(number) is int and 0 <= number < 2**62]
    if len(numbers) < 2 or not isinstance(key, str):
        raise invalid("cursor", "not a cursor of this list")
    return moment, key, nth


def _out(row: Document) -> RejectedOut:
    return RejectedOut.model_validate({"id": row["_id"]} | row)
