from datetime import date
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Query
from pydantic import Field
from sqlalchemy import Row

from fleet_kit.pagination import Page, PageParams
from fleet_kit.schemas import ResponseModel, Text, Timestamp
from sim_service.platform.dependencies import AppSettings
from sim_service.usage.sim_usage.cost import CostEstimate, Prices
from sim_service.usage.sim_usage.ranges import From, Interval, Span, To, checked_by
from sim_service.usage.sim_usage.schemas import First, Last, Volumes, estimated, volumes
from sim_service.usage.totals.repository import Bucket, Grouping, Metric, TotalsQuery
from sim_service.usage.totals.service import Totals


async def _wanted(
    settings: AppSettings,
    first: From = None,
    last: To = None,
    interval: Bucket = Bucket.DAY,
    group_by: Grouping = Grouping.ORGANIZATION,
    tag: Annotated[Text | None, Query(max_length=100)] = None,
) -> TotalsQuery:
    by = Interval.HOUR if interval is Bucket.HOUR else Interval.DAY
    return TotalsQuery(checked_by(by, first, last, settings), interval, group_by, tag)


TotalsQueryParams = Annotated[TotalsQuery, Depends(_wanted)]
"""The query parameters of totals."""


class TotalOut(Volumes):
    """One sum. `start`: the UTC day, the first day of the month, or the hour."""

    start: date | Timestamp
    organization_id: UUID | None = None
    tag: str | None = None


class TotalsOut(Page[TotalOut]):
    """Sums, oldest first. `sum` is of the whole range, each SIM once; with a cursor it is null.

    `as_of`: no SIM's usage is older than this; null: the carrier was never asked.
    """

    first: First
    last: Last
    as_of: Timestamp | None
    sum: Volumes | None
    cost_estimate: CostEstimate | None

    @classmethod
    def of(cls, wanted: TotalsQuery, found: Totals, paging: PageParams, prices: Prices) -> "TotalsOut":
        whole = Volumes(**volumes(found.whole)) if found.whole is not None else None
        return cls(
            items=[_total(row, wanted.grouping) for row in found.rows],
            total=found.total,
            page=paging.page if paging.cursor is None else None,
            page_size=paging.page_size,
            next_cursor=found.next_cursor,
            first=wanted.span.first,
            last=wanted.span.last,
            as_of=found.as_of,
            sum=whole,
            cost_estimate=estimated(whole, prices) if whole else None,
        )


def _total(row: Row[Any], grouping: Grouping) -> TotalOut:
    named: dict[str, Any] = {"tag" if grouping is Grouping.TAG else "organization_id": row.name}
    return TotalOut(start=row.start, **named, **volumes(row))


class ConsumerOut(Volumes):
    """A SIM and what it used in the range; `label` and `device_id` while it is still the organisation's."""

    iccid: str
    label: str | None
    device_id: UUID | None
    cost_estimate: CostEstimate | None

    @classmethod
    def of(cls, row: Row[Any], prices: Prices) -> "ConsumerOut":
        used = Volumes(**volumes(row))
        return cls(
            iccid=row.iccid,
            label=row.label,
            device_id=row.device_id,
            cost_estimate=estimated(used, prices),
            **used.model_dump(),
        )


class TopOut(ResponseModel):
    """The SIMs that used most, most first."""

    first: First
    last: Last
    metric: Metric
    items: list[ConsumerOut]

    @classmethod
    def of(cls, span: Span, metric: Metric, rows: Any, prices: Prices) -> "TopOut":
        items = [ConsumerOut.of(row, prices) for row in rows]
        return cls(first=span.first, last=span.last, metric=metric, items=items)


Limit = Annotated[int, Field(ge=1, le=200), Query()]
