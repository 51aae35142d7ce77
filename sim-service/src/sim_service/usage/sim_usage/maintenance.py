"""What the tables of usage need from time to time: partitions, forgetting, and telling what was streamed."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy.exc import DBAPIError

from fleet_kit.database import Sessions
from fleet_kit.outbox import Outbox
from sim_service.platform import partitions
from sim_service.platform.partitions import MONTHS_AHEAD, Partitioned
from sim_service.usage.sim_usage import events
from sim_service.usage.sim_usage.models import SimUsage
from sim_service.usage.sim_usage.repository import due_to_publish
from sim_service.usage.streamer.service import assign_to_owners, forget_rejected

log = structlog.get_logger(__name__)

TABLES = (
    Partitioned("sim_usage", "day"),
    Partitioned("sim_usage_hours", "hour", by_moment=True),
    Partitioned("stream_records", "month"),
    Partitioned("device_usage", "hour", by_moment=True),
)
_PUBLISH_BATCH = 500
_LOCK_NOT_AVAILABLE = "55P03"


class UsageMaintenance:
    """The worker's rounds. `kept_days`: by table, days until rows are dropped, by whole months."""

    def __init__(self, sessions: Sessions, *, kept_days: Mapping[str, int]) -> None:
        self._sessions, self._kept_days = sessions, kept_days

    async def run(self) -> None:
        """Make the partitions of the next months, drop old ones, give adopted usage to its owners."""
        for table in TABLES:
            await self._maintain_partitions(table)
        async with self._sessions.begin() as session:
            await forget_rejected(session)
            if number := await assign_to_owners(session):
                log.info("usage given to the owners of its SIMs", records=number)

    async def publish_streamed(self) -> None:
        """Publish the days whose streamed usage has been collected long enough, organisations in turn."""
        days: Sequence[SimUsage] | None = None
        while days is None or days:
            async with self._sessions.begin() as session:
                days = await due_to_publish(session, _PUBLISH_BATCH)
                await Outbox(session).add(*(events.recorded(day) for day in days))

    async def _maintain_partitions(self, table: Partitioned) -> None:
        today = datetime.now(UTC).date()
        this = partitions.month_of(today)
        oldest = partitions.month_of(today - timedelta(days=self._kept_days[table.table]))
        async with self._sessions() as session:
            there = await partitions.partition_names(session, table)
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
                if not await partitions.try_lock(session):
                    return
                there = await partitions.partition_names(session, table)
                if make is not None and table.name(make) not in there:
                    await partitions.create(session, table, make)
                elif drop is not None and drop in there:
                    await partitions.drop(session, drop)
                    log.info("partition dropped", name=drop)
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", "") != _LOCK_NOT_AVAILABLE:
                raise
            log.warning("partition left to the next round, the table is busy", table=table.table)
