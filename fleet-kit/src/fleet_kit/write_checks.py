"""Checks that a server can still write, which a server with a full disk that answers `ping` hides."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from fleet_kit.health import CHECK_SECONDS, Check, Degraded, Unwell

WRITE_EVERY_SECONDS = 30.0
WRITE_SECONDS = CHECK_SECONDS * 3 / 4
"""Longest time of a write. Less than that of a check, which would be unavailable instead, and forget it."""
_INSUFFICIENT_RESOURCES = "53"
"""Class of Postgres' error codes: the disk is full, a limit of it is reached, and the like."""
_SPILL = text(
    "WITH filler AS MATERIALIZED (SELECT repeat('x', 8000) AS page FROM generate_series(1, 512))"
    " SELECT count(page), current_setting('transaction_read_only') AS read_only FROM filler"
)
"""4 MiB of a temporary file: needs room on the disk, but leaves no row, no log and no file behind."""


class WriteCheck:
    """Writes at most every `seconds`, however often it is asked; in between it says what it found.

    A write that takes more than `longest` seconds is given up: Degraded.
    """

    def __init__(
        self,
        write: Callable[[], Awaitable[object]],
        *,
        seconds: float = WRITE_EVERY_SECONDS,
        longest: float = WRITE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._write, self._seconds, self._longest, self._clock = write, seconds, longest, clock
        self._next = 0.0
        self._found: Unwell | None = None

    async def __call__(self) -> None:
        """Raise what was found; an exception that is not Unwell is not remembered."""
        if self._clock() >= self._next:
            self._found = await self._try()
            self._next = self._clock() + self._seconds
        if self._found is not None:
            raise type(self._found)(*self._found.args)

    async def _try(self) -> Unwell | None:
        writing = asyncio.ensure_future(self._write())
        writing.add_done_callback(_look_at)
        try:
            # Not asyncio.timeout: that waits until what it cancels has cleaned up, for as long as that takes.
            done, _ = await asyncio.wait({writing}, timeout=self._longest)
        finally:
            writing.cancel()
        if not done:
            return Degraded(f"a write took longer than {self._longest:g} s")
        try:
            await writing
        except Unwell as problem:
            return problem
        return None


def _look_at(write: "asyncio.Future[object]") -> None:
    """Have asyncio not complain of an error that nobody waits for, of a write that was given up."""
    if not write.cancelled():
        write.exception()


def postgres_writes(engine: AsyncEngine) -> Check:
    """Raises Degraded while Postgres cannot write to its disk, or takes no changes."""
    return WriteCheck(lambda: _spill(engine))


async def _spill(engine: AsyncEngine) -> None:
    try:
        async with engine.begin() as connection:
            await connection.execute(text("SET LOCAL work_mem = '64kB'"))
            found = (await connection.execute(_SPILL)).one()
    except DBAPIError as error:
        if str(getattr(error.orig, "sqlstate", "")).startswith(_INSUFFICIENT_RESOURCES):
            raise Degraded(f"cannot write: {str(error.orig).rpartition('>: ')[2]}") from error
        raise
    if found.read_only == "on":
        raise Degraded("takes no changes, transactions are read-only")
