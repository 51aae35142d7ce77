"""Work on somebody's spreadsheet in processes of their own: few at once, bounded in memory and time.

All that read or make spreadsheets share one pool in each process of the service.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from math import ceil
from pathlib import Path
from uuid import UUID

from fleet_kit.errors import TooManyRequests, Unavailable
from sim_service.platform.fair_slots import FairSlots

_LAUNCHER = "sim_service.platform.bounded_subprocess"
_PASSED_ON = ("PATH", "PYTHONPATH", "LANG", "TMPDIR")
"""Of the environment: whoever takes over a reader finds no secret there."""


class SubprocessFailed(Exception):
    """The process broke its bounds or died; `reason` in words for whoever sent the file."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class SubprocessPool:
    """At most `slots` processes at once, of which an owner has one.

    `memory_mib`: address space of each. `wait`: seconds after which a request that has no slot is refused,
    and after which it is told to come again; its owner's place in the queue is kept for half as long again.
    """

    def __init__(self, slots: int, *, memory_mib: int, wait: float) -> None:
        self._memory_mib, self._retry_after = memory_mib, max(1, ceil(wait))
        self._slots = FairSlots(slots, wait=wait, keep=1.5 * self._retry_after)
        self._owners: set[UUID] = set()

    @asynccontextmanager
    async def slot(self, owner: UUID) -> AsyncIterator[None]:
        """A place in the pool; raises TooManyRequests if the owner has one, Unavailable if none gets free."""
        async with self.admit(owner), self.place(owner):
            yield

    @asynccontextmanager
    async def admit(self, owner: UUID) -> AsyncIterator[None]:
        """Let the owner in, once at a time, also for what comes before a place; raises TooManyRequests."""
        if owner in self._owners:
            raise TooManyRequests(
                "another spreadsheet of the organisation is in work", code="SPREADSHEET_IN_WORK"
            )
        self._owners.add(owner)
        try:
            yield
        finally:
            self._owners.discard(owner)

    @asynccontextmanager
    async def place(self, owner: UUID) -> AsyncIterator[None]:
        """A place in the pool, for an owner who was let in; raises Unavailable if none gets free."""
        await self._acquire(owner)
        try:
            yield
        finally:
            self._slots.release()

    async def run(self, module: str, *arguments: str | Path | int, seconds: float) -> None:
        """`python -m module arguments…`, within a slot; raises SubprocessFailed unless it ends well.

        `seconds` of a processor's time are its bound, and twice as many by the clock: the machine has other
        work too. The process dies with the caller's task.
        """
        bounds = (str(self._memory_mib), str(ceil(seconds)))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", _LAUNCHER, *bounds, module, *map(str, arguments)),
            stderr=asyncio.subprocess.DEVNULL,
            env={name: os.environ[name] for name in _PASSED_ON if name in os.environ}
            | {"OPENBLAS_NUM_THREADS": "1"},  # openpyxl loads numpy, whose threads each reserve memory
        )
        try:
            async with asyncio.timeout(2 * seconds):
                code = await process.wait()
        except TimeoutError:
            code = -signal.SIGXCPU
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        if code == -signal.SIGXCPU:
            raise SubprocessFailed(f"takes more than {seconds:g} s")
        if code != 0:
            raise SubprocessFailed(f"takes more than {self._memory_mib} MiB of memory")

    async def _acquire(self, owner: UUID) -> None:
        try:
            await self._slots.acquire(owner)
        except TimeoutError:
            raise Unavailable(
                "too many spreadsheets of other organisations are in work; the place in the queue is kept",
                code="SPREADSHEETS_BUSY",
                retry_after=self._retry_after,
            ) from None
