"""Queries on `sim_usage`, `sim_usage_hours` and `sim_usage_states`."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Date, DateTime, case, cast, func, or_, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from sim_service.carrier.facts import UsageDay
from sim_service.usage.models import MEASURED, SimUsage, SimUsageHour, SimUsageState

_USAGE = SimUsage.metadata.tables[SimUsage.__tablename__]


class UsageRepository:
    """Usage of one organisation's SIMs."""

    def __init__(self, session: AsyncSession, organization_id: UUID) -> None:
        self._session, self._owner = session, organization_id

    async def between(self, iccid: str, first: date, last: date) -> Sequence[SimUsage]:
        """The days on which the SIM used anything, oldest first, both ends included."""
        statement = (
            select(SimUsage)
            .where(
                SimUsage.organization_id == self._owner,
                SimUsage.iccid == iccid,
                SimUsage.day.between(first, last),
            )
            .order_by(SimUsage.day)
        )
        return (await self._session.execute(statement)).scalars().all()

    async def hours(self, iccid: str, start: datetime, end: datetime) -> Sequence[SimUsageHour]:
        """The hours of [start, end) in which the streamer told of usage, oldest first."""
        statement = (
            select(SimUsageHour)
            .where(
                SimUsageHour.organization_id == self._owner,
                SimUsageHour.iccid == iccid,
                SimUsageHour.hour >= start,
                SimUsageHour.hour < end,
            )
            .order_by(SimUsageHour.hour)
        )
        return (await self._session.execute(statement)).scalars().all()

    async def record(self, iccid: str, days: Sequence[UsageDay], now: datetime) -> Sequence[SimUsage]:
        """Take the carrier's totals of days; the rows that were written, with what counts from now on.

        A total that is younger than its day is final. Until then the streamer may know more of the day, so
        the larger figure counts: both count the same traffic, so adding them would count it twice.
        """
        if not days:
            return ()
        statement = insert(_USAGE)
        fresh = statement.excluded
        final = fresh.carrier_at >= _end_of(fresh.day)
        values: dict[str, ColumnElement[Any]] = {
            name: case((final, fresh[name]), else_=func.greatest(fresh[name], _USAGE.c[f"streamed_{name}"]))
            for name in MEASURED
        }
        before = tuple_(*(_USAGE.c[name] for name in MEASURED))
        grown = before.is_distinct_from(tuple_(*values.values()))
        open_before = or_(_USAGE.c.carrier_at.is_(None), _USAGE.c.carrier_at < _end_of(_USAGE.c.day))
        written = statement.on_conflict_do_update(
            index_elements=["organization_id", "iccid", "day"],
            set_={**values, "recorded_at": fresh.recorded_at, "carrier_at": fresh.carrier_at},
            where=or_(grown, open_before),
        ).returning(*_USAGE.c)
        rows = [self._row(iccid, day, now) for day in days]
        connection = await self._session.connection()
        return [SimUsage(**row._mapping) for row in await connection.execute(written, rows)]

    async def state(self, iccid: str) -> SimUsageState | None:
        """How far back and how fresh usage is known."""
        statement = select(SimUsageState).where(
            SimUsageState.iccid == iccid, SimUsageState.organization_id == self._owner
        )
        return (await self._session.execute(statement)).scalar_one_or_none()

    async def note(self, iccid: str, known_from: date, now: datetime) -> None:
        """Note that every day since `known_from` has just been asked for."""
        statement = insert(SimUsageState).values(
            iccid=iccid, organization_id=self._owner, known_from=known_from, fetched_at=now
        )
        same = SimUsageState.organization_id == self._owner
        earliest = case(
            (same, func.least(SimUsageState.known_from, statement.excluded.known_from)),
            else_=statement.excluded.known_from,
        )
        await self._session.execute(
            statement.on_conflict_do_update(
                index_elements=["iccid"],
                set_={"known_from": earliest, "fetched_at": now, "organization_id": self._owner},
            )
        )

    def _row(self, iccid: str, day: UsageDay, now: datetime) -> dict[str, Any]:
        measured = {name: getattr(day, name) for name in MEASURED}
        return {
            "organization_id": self._owner,
            "iccid": iccid,
            "day": day.day,
            "recorded_at": now,
            "carrier_at": now,
            **measured,
        }


def _end_of(day: Any) -> ColumnElement[datetime]:
    """The midnight (UTC) at which a day is over."""
    return func.timezone("UTC", cast(cast(day, Date) + 1, DateTime))
