from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Date,
    DateTime,
    Select,
    and_,
    case,
    cast,
    exists,
    func,
    or_,
    select,
    text,
    tuple_,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.rows_in_turn import owners_of
from fleet_kit.scope import Scope
from sim_service.carrier.models import UsageDay
from sim_service.inventory.releases.queries import last_release_by_others
from sim_service.inventory.sims.cache_tags import usage_tag
from sim_service.inventory.sims.models import IN_SERVICE, Sim
from sim_service.platform.cache.invalidation import invalidate
from sim_service.platform.scoped_repository import ScopedRepository
from sim_service.usage.sim_usage.models import MEASURED, TELL_ROWS, SimUsage, SimUsageHour, SimUsageState

_USAGE = SimUsage.metadata.tables[SimUsage.__tablename__]
# Rows are found again by their place: of today no statistics are known yet, so Postgres would look through
# all that the organisation used today for each of them. The array keeps it from reading whole partitions.
_TAKE_DUE = text(
    f"""
    WITH RECURSIVE {owners_of("sim_usage", TELL_ROWS)}, due AS (
        SELECT head.tableoid, head.ctid FROM owners CROSS JOIN LATERAL (
            SELECT tableoid, ctid FROM sim_usage
            WHERE {TELL_ROWS.text} AND organization_id = owners.owner AND tell_at <= now()
            ORDER BY tell_at LIMIT (SELECT greatest(:limit / count(owner), 1) FROM owners)
            FOR UPDATE SKIP LOCKED
        ) AS head
        ORDER BY random() LIMIT :limit
    )
    UPDATE sim_usage SET tell_at = NULL FROM due
    WHERE sim_usage.ctid = ANY(ARRAY(SELECT ctid FROM due))
        AND sim_usage.tableoid = due.tableoid AND sim_usage.ctid = due.ctid
    RETURNING sim_usage.*
    """  # noqa: S608 - made of our own names
)


class UsageRepository(ScopedRepository):
    def __init__(self, session: AsyncSession, organization_id: UUID) -> None:
        super().__init__(session, Scope(organization_id))
        self._owner = organization_id

    async def between(self, iccid: str, first: date, last: date) -> Sequence[SimUsage]:
        """The days on which the SIM used anything, oldest first, both ends included."""
        days = self._owned(SimUsage).where(SimUsage.iccid == iccid, SimUsage.day.between(first, last))
        return await self._all(days.order_by(SimUsage.day))

    async def hours(self, iccid: str, start: datetime, end: datetime) -> Sequence[SimUsageHour]:
        """The hours of [start, end) with streamed usage, oldest first."""
        within = SimUsageHour.iccid == iccid, SimUsageHour.hour >= start, SimUsageHour.hour < end
        return await self._all(self._owned(SimUsageHour).where(*within).order_by(SimUsageHour.hour))

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
        invalidate(self._session, usage_tag(iccid))
        same = {"organization_id": self._owner, "iccid": iccid, "recorded_at": now, "carrier_at": now}
        rows = [same | {name: getattr(day, name) for name in ("day", *MEASURED)} for day in days]
        connection = await self._session.connection()
        return [SimUsage(**row._mapping) for row in await connection.execute(written, rows)]

    async def state(self, iccid: str) -> SimUsageState | None:
        """How far back and how fresh usage is known."""
        return await self._one(self._owned(SimUsageState).where(SimUsageState.iccid == iccid))

    async def not_before(self, iccid: str) -> date | None:
        """The first whole day that cannot be another organisation's, None where nobody else had the SIM."""
        moment = await last_release_by_others(self._session, iccid, self._owner)
        return None if moment is None else moment.astimezone(UTC).date() + timedelta(days=1)

    async def note(self, iccid: str, known_from: date, now: datetime) -> None:
        """Note that every day since `known_from` has just been asked for."""
        invalidate(self._session, usage_tag(iccid))
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


class PollRepository(ScopedRepository):
    """Which SIMs the carrier has to be asked about."""

    async def due(
        self, asked_before: datetime, streamed_before: datetime, *, after: str, limit: int
    ) -> Sequence[tuple[str, UUID]]:
        """SIMs behind `after`, with their owners, that were not asked about since; see `_due`."""
        statement = self._due(asked_before, streamed_before).where(Sim.iccid > after)
        rows = await self._session.execute(statement.order_by(Sim.iccid).limit(limit))
        return [(iccid, owner) for iccid, owner in rows if owner is not None]

    async def count(self, asked_before: datetime, streamed_before: datetime) -> int:
        return await self._count(self._due(asked_before, streamed_before))

    def _due(self, asked_before: datetime, streamed_before: datetime) -> Select[str, UUID | None]:
        """Owned SIMs last asked about before the one moment, or the other where the streamer covers them.

        It does if it reported a SIM today or yesterday.
        """
        asked = and_(SimUsageState.iccid == Sim.iccid, SimUsageState.organization_id == Sim.organization_id)
        streamed = exists().where(
            SimUsage.organization_id == Sim.organization_id,
            SimUsage.iccid == Sim.iccid,
            SimUsage.day >= asked_before.date() - timedelta(days=1),
            or_(*(SimUsage.__table__.c[f"streamed_{name}"] > 0 for name in MEASURED)),
        )
        return select(Sim.iccid, Sim.organization_id).where(
            self._scope.where(Sim.organization_id),
            *IN_SERVICE,
            ~exists().where(asked, SimUsageState.fetched_at >= asked_before),
            ~and_(exists().where(asked, SimUsageState.fetched_at >= streamed_before), streamed),
        )


async def due_to_publish(session: AsyncSession, limit: int) -> Sequence[SimUsage]:
    """Days whose streamed usage is due to be published, taken off the list in this transaction.

    Of every organisation as many, so that may be fewer than `limit` although more are due.
    """
    statement = select(SimUsage).from_statement(_TAKE_DUE).execution_options(populate_existing=True)
    return (await session.execute(statement, {"limit": limit})).scalars().all()


def _end_of(day: Any) -> ColumnElement[datetime]:
    """The midnight (UTC) at which a day is over."""
    return func.timezone("UTC", cast(cast(day, Date) + 1, DateTime))
