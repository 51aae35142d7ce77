"""HTTP: the newest reading of each device."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request

from fleet_kit.errors import invalid
from fleet_kit.pagination import Page, Paging, encode_cursor
from fleet_kit.principal import CurrentUser
from monitoring_service.latest.schemas import LatestOut
from monitoring_service.latest.service import LatestQueries

router = APIRouter(prefix="/monitoring/latest", tags=["latest"])


@router.get("")
async def list_latest(
    user: CurrentUser,
    request: Request,
    paging: Paging,
    device_id: Annotated[list[UUID] | None, Query(max_length=200)] = None,
) -> Page[LatestOut]:
    """In the order of device ids; pages by cursor."""
    position = paging.position(1)
    if position is not None and not isinstance(position[0], str):
        raise invalid("cursor", "not a cursor of this list")
    queries = LatestQueries(request.app.state.store, user.scope)
    devices = [str(device) for device in device_id] if device_id else None
    rows, last = await queries.page(devices, position[0] if position else None, paging.page_size)
    items = [LatestOut.model_validate(row) for row in rows]
    return Page(items=items, page_size=paging.page_size, next_cursor=encode_cursor([last]) if last else None)
