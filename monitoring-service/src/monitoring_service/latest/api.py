"""HTTP: the newest reading of each device."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request

from fleet_kit.errors import invalid
from fleet_kit.pagination import Page, Paging, encode_cursor
from fleet_kit.principal import CurrentUser
from monitoring_service.latest.models import Position
from monitoring_service.latest.schemas import LatestOut
from monitoring_service.latest.service import LatestQueries
from monitoring_service.store.request_reads import RequestReads
from monitoring_service.store.slots import SLOTS

router = APIRouter(prefix="/monitoring/latest", tags=["latest"])


@router.get("")
async def list_latest(
    user: CurrentUser,
    request: Request,
    reads: RequestReads,
    paging: Paging,
    device_id: Annotated[list[UUID] | None, Query(max_length=200)] = None,
) -> Page[LatestOut]:
    """In an order that stays the same; pages by cursor."""
    queries = LatestQueries(request.app.state.store, user.scope, reads)
    devices = [str(device) for device in device_id] if device_id else None
    rows, rest = await queries.page(devices, _position(paging.position(2)), paging.page_size)
    items = [LatestOut.model_validate(row) for row in rows]
    cursor = encode_cursor(list(rest)) if rest else None
    return Page(items=items, page_size=paging.page_size, next_cursor=cursor)


def _position(values: list[Any] | None) -> Position | None:
    if values is None:
        return None
    slot, device = values
    if type(slot) is not int or not 0 <= slot < SLOTS or not isinstance(device, str):
        raise invalid("cursor", "not a cursor of this list")
    return slot, device
