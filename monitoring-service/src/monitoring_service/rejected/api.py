"""HTTP: messages that were accepted and could not be stored."""

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter, Request

from fleet_kit.errors import invalid
from fleet_kit.pagination import Page, Paging, encode_cursor
from fleet_kit.principal import CurrentUser
from monitoring_service.rejected.schemas import RejectedOut
from monitoring_service.rejected.service import RejectedQueries
from monitoring_service.store.client import Document

router = APIRouter(prefix="/monitoring/rejected", tags=["rejected"])


@router.get("")
async def list_rejected(
    user: CurrentUser, request: Request, paging: Paging, device_id: UUID | None = None
) -> Page[RejectedOut]:
    """The newest first; pages by cursor."""
    queries = RejectedQueries(request.app.state.store, user.scope)
    device = str(device_id) if device_id else None
    shown, more = await queries.page(device, _position(paging.position(2)), paging.page_size)
    cursor = encode_cursor([shown[-1]["received_at"].isoformat(), shown[-1]["_id"]]) if more else None
    total = None if paging.cursor or device else await queries.count()
    return Page(
        items=[_out(row) for row in shown], total=total, page_size=paging.page_size, next_cursor=cursor
    )


def _position(values: list[str] | None) -> tuple[datetime, str] | None:
    if values is None:
        return None
    try:
        return datetime.fromisoformat(values[0]), str(values[1])
    except (TypeError, ValueError):
        raise invalid("cursor", "not a cursor of this list") from None


def _out(row: Document) -> RejectedOut:
    return RejectedOut.model_validate({"id": row["_id"]} | row)
