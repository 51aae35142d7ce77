"""HTTP shapes of totals."""

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Query
from pydantic import Field
from sqlalchemy import Row

from fleet_kit.pagination import Page, PageParams
from fleet_kit.schemas import ResponseModel, Text, Timestamp
from sim_service.resources import AppSettings
from sim_service.totals.repository import Bucket, Grouping, Metric, Wanted
from sim_service.totals.service import Totals
from sim_service.usage.cost import CostEstimate, Prices
from sim_service.usage.ranges import From, Interval, Span, To, checked_by
from sim_service.usage.schemas import First, Last, Volumes, estimated, volumes


def _wanted(
    settings: AppSettings,
    first: From = None,
    last: To = None,
    interval: Bucket = Bucket.DAY,
    group_by: Grouping = Grouping.ORGANIZATION,
    tag: Annotated[Text | None, Query(max_length=100)] = None,
) -> Wanted:
    by = Interval.HOUR if interval is Bucket.HOUR else Interval.DAY
    return Wanted(checked_by(by, first, last, settings), interval, group_by, tag)


TotalsWanted = Annotated[Wanted, Depends(_wanted)]
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
    def of(cls, wanted: Wanted, found: Totals, paging: PageParams, prices: Prices) -> "TotalsOut":
        """The page as it is sent."""
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
        """The SIM with its sums."""
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
        """The list with its range."""
        items = [ConsumerOut.of(row, prices) for row in rows]
        return cls(first=span.first, last=span.last, metric=metric, items=items)


Limit = Annotated[int, Field(ge=1, le=200), Query()]
