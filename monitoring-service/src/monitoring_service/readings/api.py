"""HTTP: readings, as they came or downsampled."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request

from fleet_kit.errors import invalid
from fleet_kit.principal import CurrentUser
from monitoring_service.readings.buckets import Aggregate, interval_seconds
from monitoring_service.readings.schemas import BucketOut, BucketPage, DataQuery, ReadingOut, ReadingPage
from monitoring_service.readings.service import ReadingQueries
from monitoring_service.store.request_reads import RequestReads

router = APIRouter(prefix="/monitoring/data", tags=["data"])
Asked = Annotated[DataQuery, Depends(DataQuery)]


async def _queries(request: Request, user: CurrentUser, reads: RequestReads) -> ReadingQueries:
    state = request.app.state
    return ReadingQueries(state.store, user.scope, state.settings.retention, reads)


Queries = Annotated[ReadingQueries, Depends(_queries)]


@router.get("", response_model_exclude_none=False)
async def list_data(queries: Queries, asked: Asked) -> ReadingPage:
    """Readings of all devices, the last stored first."""
    rows, cursor = await queries.of_scope(asked)
    items = [ReadingOut.model_validate(row) for row in rows]
    return ReadingPage(items=items, next_cursor=cursor, page_size=asked.page_size)


@router.get("/{device_id}")
async def device_data(
    device_id: UUID,
    queries: Queries,
    request: Request,
    asked: Asked,
    interval: Annotated[str | None, Query(max_length=10)] = None,
    agg: Aggregate | None = None,
) -> ReadingPage | BucketPage:
    """Readings of one device by time; with `interval` one figure per metric and interval, oldest first."""
    device = str(device_id)
    if interval is None:
        if agg is not None:
            raise invalid("agg", "needs `interval`")
        rows, cursor = await queries.of_device(device, asked)
        readings = [ReadingOut.model_validate(row) for row in rows]
        return ReadingPage(items=readings, next_cursor=cursor, page_size=asked.page_size)
    most_figures = request.app.state.settings.query_figures
    rows, cursor = await queries.buckets(
        device, asked, interval_seconds(interval), agg or "avg", most_figures=most_figures
    )
    buckets = [BucketOut.model_validate(row) for row in rows]
    return BucketPage(items=buckets, next_cursor=cursor, page_size=asked.page_size)
