"""Queries on `sim_usage` and `sim_usage_states`."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from sim_service.carrier.facts import UsageDay
from sim_service.usage.models import SimUsage, SimUsageState

_MEASURED = ("data_mo_bytes", "data_mt_bytes", "sms_mo", "sms_mt")


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

    async def record(self, iccid: str, days: Sequence[UsageDay], now: datetime) -> Sequence[SimUsage]:
        """Write the days that are new or differ from what is kept; those that were written."""
        if not days:
            return ()
        statement = insert(SimUsage.metadata.tables[SimUsage.__tablename__])
        fresh = statement.excluded
        differs = tuple_(*(getattr(SimUsage, name) for name in _MEASURED)).is_distinct_from(
            tuple_(*(fresh[name] for name in _MEASURED))
        )
        changes: dict[str, Any] = {name: fresh[name] for name in (*_MEASURED, "recorded_at")}
        written = statement.on_conflict_do_update(
            index_elements=["organization_id", "iccid", "day"], set_=changes, where=differs
        ).returning(SimUsage.day)
        rows = [self._row(iccid, day, now) for day in days]
        connection = await self._session.connection()
        changed = set((await connection.execute(written, rows)).scalars())
        return [SimUsage(**row) for row in rows if row["day"] in changed]

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
        earliest = func.least(SimUsageState.known_from, statement.excluded.known_from)
        await self._session.execute(
            statement.on_conflict_do_update(
                index_elements=["iccid"],
                set_={"known_from": earliest, "fetched_at": now, "organization_id": self._owner},
            )
        )

    def _row(self, iccid: str, day: UsageDay, now: datetime) -> dict[str, Any]:
        measured = {name: getattr(day, name) for name in _MEASURED}
        return {
            "organization_id": self._owner,
            "iccid": iccid,
            "day": day.day,
            "recorded_at": now,
            **measured,
        }
