"""What the tables of usage need from time to time: partitions, forgetting, and telling what was streamed."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy.exc import DBAPIError

from fleet_kit.database import Sessions
from fleet_kit.outbox import Outbox
from sim_service import partitions
from sim_service.partitions import MONTHS_AHEAD, Partitioned
from sim_service.push.service import adopt, forget_rejected
from sim_service.usage import events
from sim_service.usage.repository import due_to_tell

log = structlog.get_logger(__name__)

TABLES = (
    Partitioned("sim_usage", "day"),
    Partitioned("sim_usage_hours", "hour", by_moment=True),
    Partitioned("stream_records", "month"),
    Partitioned("device_usage", "hour", by_moment=True),
)
_TOLD_AT_ONCE = 500
_LOCK_NOT_AVAILABLE = "55P03"


class UsageUpkeep:
    """The worker's rounds. `kept_days`: by table, days until rows are dropped, by whole months."""

    def __init__(self, sessions: Sessions, *, kept_days: Mapping[str, int]) -> None:
        self._sessions, self._kept_days = sessions, kept_days

    async def round(self) -> None:
        """Make the partitions of the next months, drop old ones, give adopted usage to its owners."""
        for table in TABLES:
            await self._divide(table)
        async with self._sessions.begin() as session:
            await forget_rejected(session)
            if number := await adopt(session):
                log.info("usage given to the owners of its SIMs", records=number)

    async def tell(self) -> None:
        """Publish the days whose streamed usage has been gathered long enough."""
        told = _TOLD_AT_ONCE
        while told == _TOLD_AT_ONCE:
            async with self._sessions.begin() as session:
                days = await due_to_tell(session, _TOLD_AT_ONCE)
                await Outbox(session).add(*(events.recorded(day) for day in days))
            told = len(days)

    async def _divide(self, table: Partitioned) -> None:
        today = datetime.now(UTC).date()
        this = partitions.month_of(today)
        oldest = partitions.month_of(today - timedelta(days=self._kept_days[table.table]))
        async with self._sessions() as session:
            there = await partitions.existing(session, table)
        if not there:
            return
        wanted = [month for month in range(this, this + MONTHS_AHEAD + 1) if table.name(month) not in there]
        old = [name for name in there if name < table.name(oldest) and not name.endswith("_default")]
        for month in wanted:
            await self._change(table, make=month)
        for name in old:
            await self._change(table, drop=name)

    async def _change(self, table: Partitioned, *, make: int | None = None, drop: str | None = None) -> None:
        """One change in one short transaction; who finds the table busy leaves it to the next round."""
        try:
            async with self._sessions.begin() as session:
                if not await partitions.take_turn(session):
                    return
                there = await partitions.existing(session, table)
                if make is not None and table.name(make) not in there:
                    await partitions.make(session, table, make)
                elif drop is not None and drop in there:
                    await partitions.drop(session, drop)
                    log.info("partition dropped", name=drop)
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", "") != _LOCK_NOT_AVAILABLE:
                raise
            log.warning("partition left to the next round, the table is busy", table=table.table)
