"""Sums over usage by organisation and by tag."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Date, Row, Select, Subquery, Text, and_, cast, func, select, tuple_

from sim_service.inventory.sims.models import Sim
from sim_service.platform.scoped_repository import ScopedRepository
from sim_service.usage.sim_usage.models import (
    MEASURED,
    OrganizationUsage,
    SimUsage,
    SimUsageHour,
    SimUsageState,
)
from sim_service.usage.sim_usage.ranges import Span


class Bucket(StrEnum):
    """What one row covers."""

    HOUR = "hour"
    DAY = "day"
    MONTH = "month"


class Grouping(StrEnum):
    """What the sums are of."""

    ORGANIZATION = "organization"
    TAG = "tag"


class Metric(StrEnum):
    """What SIMs are ranked by."""

    DATA = "data"
    DATA_MO = "data_mo"
    DATA_MT = "data_mt"
    SMS = "sms"


@dataclass(frozen=True, slots=True)
class TotalsQuery:
    """Which sums; `tag` restricts them to the SIMs that have it."""

    span: Span
    bucket: Bucket
    grouping: Grouping
    tag: str | None = None


Position = tuple[date | datetime, str]


class TotalsRepository(ScopedRepository):
    """Sums over one organisation's SIMs, or over all with EVERYTHING."""

    async def page(
        self, wanted: TotalsQuery, *, limit: int, offset: int, after: Position | None
    ) -> Sequence[Row[Any]]:
        """Rows `start`, `name` and volumes by time and name, from an offset or behind the row `after`.

        `rows`: how many there are in all; counted by the same query, because each sum
        costs as much as the page.
        """
        sums = self._sums(wanted).subquery()
        if after is None:
            statement = select(sums, func.count().over().label("rows"))
        else:
            statement = select(sums).where(tuple_(sums.c.start, sums.c.name) > tuple_(*after))
        statement = statement.order_by(sums.c.start, sums.c.name).limit(limit).offset(offset)
        return (await self._session.execute(statement)).all()

    async def count(self, wanted: TotalsQuery) -> int:
        return await self._count(self._sums(wanted))

    async def whole(self, wanted: TotalsQuery) -> Row[Any]:
        """The volumes of the range, each SIM counted once."""
        source = _source(wanted)
        statement = self._within(select(*_summed(source)), source, wanted.span)
        if wanted.tag is not None:
            tagged = self._tagged(wanted.tag)
            statement = statement.join(tagged, _same(source, tagged))
        found: Row[Any] = (await self._session.execute(statement)).one()
        return found

    async def top(self, span: Span, metric: Metric, limit: int) -> Sequence[Row[Any]]:
        """The SIMs that used most, with their label and volumes; those that used nothing are left out."""
        ranked = func.sum(_of(metric)).label("ranked")
        used = self._within(
            select(SimUsage.organization_id, SimUsage.iccid, ranked, *_summed(SimUsage)), SimUsage, span
        )
        used = used.group_by(SimUsage.organization_id, SimUsage.iccid).having(func.sum(_of(metric)) > 0)
        best = used.order_by(ranked.desc(), SimUsage.iccid).limit(limit).subquery()
        mine = and_(Sim.iccid == best.c.iccid, Sim.organization_id == best.c.organization_id)
        statement = select(best, Sim.label, Sim.device_id).outerjoin(Sim, mine)
        return (await self._session.execute(statement.order_by(best.c.ranked.desc(), best.c.iccid))).all()

    async def oldest_fetch(self) -> datetime | None:
        """When the carrier was last asked about the SIM that it was asked about longest ago."""
        statement = select(func.min(SimUsageState.fetched_at)).where(
            self._scope.where(SimUsageState.organization_id)
        )
        return (await self._session.execute(statement)).scalar_one()

    def _sums(self, wanted: TotalsQuery) -> Select[Any]:
        by_tag = wanted.grouping is Grouping.TAG
        source = _source(wanted, by_sim=by_tag)
        tagged = self._tagged(wanted.tag)
        start = _start(wanted.bucket, source).label("start")
        name = (tagged.c.tag if by_tag else cast(source.organization_id, Text)).label("name")
        statement = self._within(select(start, name, *_summed(source)), source, wanted.span)
        if source is not OrganizationUsage and (by_tag or wanted.tag is not None):
            statement = statement.join(tagged, _same(source, tagged))
        return statement.group_by(start, name)

    def _tagged(self, tag: str | None) -> Subquery:
        """SIMs with each of their tags, or with this one."""
        unnested = select(Sim.organization_id, Sim.iccid, func.unnest(Sim.tags).label("tag"))
        unnested = unnested.where(self._scope.where(Sim.organization_id))
        if tag is None:
            return unnested.subquery("tagged")
        every = unnested.where(Sim.tags.contains([tag])).subquery()
        return select(every).where(every.c.tag == tag).subquery("tagged")

    def _within(self, statement: Select[Any], source: Any, span: Span) -> Select[Any]:
        statement = statement.where(self._scope.where(source.organization_id))
        if source is SimUsageHour:
            return statement.where(SimUsageHour.hour >= span.start, SimUsageHour.hour < span.end)
        return statement.where(source.day.between(span.first, span.last))


def _same(source: Any, tagged: Subquery) -> ColumnElement[bool]:
    return and_(source.iccid == tagged.c.iccid, source.organization_id == tagged.c.organization_id)


def _source(wanted: TotalsQuery, *, by_sim: bool = False) -> Any:
    """The table that has the sums, or the parts of them, that are wanted."""
    if wanted.bucket is Bucket.HOUR:
        return SimUsageHour
    return SimUsage if by_sim or wanted.tag is not None else OrganizationUsage


def _start(bucket: Bucket, source: Any) -> Any:
    column: Any = source.hour if source is SimUsageHour else source.day
    return cast(func.date_trunc("month", column), Date) if bucket is Bucket.MONTH else column


def _summed(source: Any) -> list[ColumnElement[Any]]:
    return [func.coalesce(func.sum(getattr(source, name)), 0).label(name) for name in MEASURED]


def _of(metric: Metric) -> ColumnElement[int]:
    return {
        Metric.DATA: SimUsage.data_mo_bytes + SimUsage.data_mt_bytes,
        Metric.DATA_MO: SimUsage.data_mo_bytes.expression,
        Metric.DATA_MT: SimUsage.data_mt_bytes.expression,
        Metric.SMS: SimUsage.sms_mo + SimUsage.sms_mt,
    }[metric]
