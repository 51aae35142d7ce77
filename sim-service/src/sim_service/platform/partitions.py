"""Monthly partitions: made ahead of time, dropped as a whole when they are old.

A row of a month without a partition goes into the default one, so nothing is ever refused; when its month
gets a partition, the rows move there. Where the tables are hypertables, there is nothing to do here.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

SCHEMA = "partitions"
MONTHS_AHEAD = 3
_LOCK = 7_304_001
_WAIT = text("SET LOCAL lock_timeout = '2s'")
"""Attaching and dropping wait for whoever uses the table; while they wait, everybody else waits for them."""


@dataclass(frozen=True, slots=True)
class Partitioned:
    """A table divided by month along a column of type `date`, or of moments (`by_moment`)."""

    table: str
    column: str
    by_moment: bool = False

    def border(self, month: int) -> date | datetime:
        """The lower bound of a month, counted in months since year 0."""
        first = date(month // 12, month % 12 + 1, 1)
        return datetime(first.year, first.month, 1, tzinfo=UTC) if self.by_moment else first

    def name(self, month: int) -> str:
        return f"{self.table}_{month // 12:04d}_{month % 12 + 1:02d}"


def month_of(day: date) -> int:
    """Months since year 0."""
    return day.year * 12 + day.month - 1


async def try_lock(session: AsyncSession) -> bool:
    """Whether this transaction may change partitions: one does at a time."""
    taken = await session.execute(text("SELECT pg_try_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    return bool(taken.scalar_one())


async def partition_names(session: AsyncSession, of: Partitioned) -> set[str]:
    """Names of a table's partitions; none where it is not divided."""
    statement = text(
        "SELECT child.relname FROM pg_inherits JOIN pg_class AS child ON child.oid = inhrelid"
        " JOIN pg_class AS parent ON parent.oid = inhparent"
        " WHERE parent.relname = :table AND parent.relkind = 'p'"
    )
    return set((await session.execute(statement, {"table": of.table})).scalars())


async def create(session: AsyncSession, of: Partitioned, month: int) -> None:
    """Make a month's partition and move there what the default one holds of it."""
    table, new, column = of.table, f"{SCHEMA}.{of.name(month)}", of.column
    low, high = of.border(month), of.border(month + 1)
    await session.execute(_WAIT)
    await session.execute(
        text(
            f"CREATE TABLE {new} (LIKE {table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS) WITH (fillfactor=80)"
        )
    )
    moved = (
        f"WITH moved AS (DELETE FROM {SCHEMA}.{table}_default"  # noqa: S608  names of our own
        f" WHERE {column} >= :low AND {column} < :high RETURNING *) INSERT INTO {new} SELECT * FROM moved"
    )
    await session.execute(text(moved), {"low": low, "high": high})
    borders = f"FROM ('{low.isoformat()}') TO ('{high.isoformat()}')"
    await session.execute(text(f"ALTER TABLE {table} ATTACH PARTITION {new} FOR VALUES {borders}"))


async def drop(session: AsyncSession, name: str) -> None:
    await session.execute(_WAIT)
    await session.execute(text(f"DROP TABLE {SCHEMA}.{name}"))
