"""A few threads that hash passwords, and a bounded, fair queue before them."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TypeVar
from weakref import WeakValueDictionary

from fleet_kit.errors import Unavailable

T = TypeVar("T")
MAX_WAIT_SECONDS = 10.0


class HashPool:
    """Runs one job after the other on each of `threads`; each job needs 64 MiB of memory.

    Of one `queue`, such as an account or an address, only one job runs at a time: who sends many waits for
    himself, not others for him. `run` raises Unavailable where `places` jobs are in the pool, or
    `places_of_one` of that queue, or where none of the threads becomes free in time.
    """

    def __init__(
        self, threads: int, *, places: int, places_of_one: int, max_wait_seconds: float = MAX_WAIT_SECONDS
    ) -> None:
        # Its threads are its own: a request that ends early does not make room for one more.
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="hash")
        self._slots, self._wait = asyncio.Semaphore(threads), max_wait_seconds
        self._places, self._places_of_one = places, places_of_one
        self._taken: Counter[str] = Counter()
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def run(self, queue: str, job: Callable[[], T]) -> T:
        """What the job returns; raises what it raises, or Unavailable."""
        async with self._place(queue), self._slot(queue):
            return await asyncio.get_running_loop().run_in_executor(self._executor, job)

    def close(self) -> None:
        """End the threads after what they have in hand."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    @asynccontextmanager
    async def _place(self, queue: str) -> AsyncIterator[None]:
        if self._taken.total() >= self._places or self._taken[queue] >= self._places_of_one:
            raise _full()
        self._taken[queue] += 1
        try:
            yield
        finally:
            self._taken[queue] -= 1
            if not self._taken[queue]:
                del self._taken[queue]

    @asynccontextmanager
    async def _slot(self, queue: str) -> AsyncIterator[None]:
        turn = self._turns.setdefault(queue, asyncio.Lock())
        deadline = asyncio.get_running_loop().time() + self._wait
        await _acquire(turn, deadline)
        try:
            await _acquire(self._slots, deadline)
            try:
                yield
            finally:
                self._slots.release()
        finally:
            turn.release()


async def _acquire(what: asyncio.Lock | asyncio.Semaphore, deadline: float) -> None:
    try:
        async with asyncio.timeout_at(deadline):
            await what.acquire()
    except TimeoutError:
        raise _full() from None


def _full() -> Unavailable:
    return Unavailable("too many passwords are being checked, try again", code="PASSWORD_CHECKS_BUSY")
