"""What SIMs used, by weekday, for forecasts: one query for many SIMs."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Double, and_, cast, extract, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from sim_service.carrier.models import QuotaKind
from sim_service.usage.quotas.forecast import BASIS_DAYS, History, WeekdayUse
from sim_service.usage.quotas.models import SimQuota
from sim_service.usage.sim_usage.models import SimUsage, SimUsageState

_MEGABYTE = 1024.0 * 1024.0
_SHORTEST = timedelta(days=6)
_USED: Mapping[QuotaKind, ColumnElement[Any]] = {
    QuotaKind.DATA: cast(SimUsage.data_mo_bytes + SimUsage.data_mt_bytes, Double) / _MEGABYTE,
    QuotaKind.SMS: cast(SimUsage.sms_mo + SimUsage.sms_mt, Double),
}


@dataclass(slots=True)
class _Seen:
    """Rows of one SIM: (weekday, sum, sum of squares), and the first and last day with any."""

    rows: list[tuple[int, float, float]]
    first: date | None = None
    last: date | None = None


async def histories(session: AsyncSession, iccids: Collection[str], kind: QuotaKind) -> dict[str, History]:
    """The history of each SIM with a kept quota, as its present owner knows it."""
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    start = yesterday - timedelta(days=BASIS_DAYS - 1)
    seen = await _seen(session, iccids, kind, start, yesterday)
    known = await _known(session, iccids, kind)
    return {iccid: _history(seen[iccid], known.get(iccid), start, yesterday) for iccid in iccids}


async def _seen(
    session: AsyncSession, iccids: Collection[str], kind: QuotaKind, start: date, end: date
) -> Mapping[str, _Seen]:
    used, weekday = _USED[kind], extract("isodow", SimUsage.day)
    statement = (
        select(
            SimQuota.iccid,
            weekday,
            func.sum(used),
            func.sum(used * used),
            func.min(SimUsage.day).filter(used > 0),
            func.max(SimUsage.day),
        )
        .join(
            SimUsage,
            and_(SimUsage.organization_id == SimQuota.organization_id, SimUsage.iccid == SimQuota.iccid),
        )
        .where(SimQuota.iccid.in_(iccids), SimQuota.kind == kind, SimUsage.day.between(start, end))
        .group_by(SimQuota.iccid, weekday)
    )
    seen: dict[str, _Seen] = defaultdict(lambda: _Seen([]))
    for iccid, day, total, squares, first, last in (await session.execute(statement)).all():
        one = seen[iccid]
        one.rows.append((int(day) - 1, total, squares))
        one.first = min(filter(None, (one.first, first)), default=None)
        one.last = max(filter(None, (one.last, last)), default=None)
    return seen


async def _known(
    session: AsyncSession, iccids: Collection[str], kind: QuotaKind
) -> dict[str, tuple[date, date]]:
    """From when to when the quotas' owners know of every day, those without use included."""
    statement = (
        select(SimUsageState.iccid, SimUsageState.known_from, SimUsageState.fetched_at)
        .join(
            SimQuota,
            and_(
                SimQuota.iccid == SimUsageState.iccid,
                SimQuota.organization_id == SimUsageState.organization_id,
            ),
        )
        .where(SimQuota.iccid.in_(iccids), SimQuota.kind == kind)
    )
    rows = (await session.execute(statement)).all()
    return {row.iccid: (row.known_from, row.fetched_at.date() - timedelta(days=1)) for row in rows}


def _history(seen: _Seen, known: tuple[date, date] | None, start: date, end: date) -> History:
    bounds = [day for day in (seen.first, seen.last, *(known or ())) if day is not None]
    if not bounds:
        return [WeekdayUse()] * 7
    last = min(end, max(bounds))
    first = max(start, min(bounds))
    if seen.first is not None:
        first = max(first, min(seen.first, last - _SHORTEST))
    days = [0] * 7
    for number in range((last - first).days + 1):
        days[(first + timedelta(days=number)).weekday()] += 1
    sums = {weekday: (total, squares) for weekday, total, squares in seen.rows}
    return [WeekdayUse(days[weekday], *sums.get(weekday, (0.0, 0.0))) for weekday in range(7)]
