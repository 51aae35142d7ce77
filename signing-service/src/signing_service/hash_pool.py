"""A few threads that hash passwords, and a bounded, fair queue before them."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from fleet_kit.errors import Unavailable
from fleet_kit.fair_semaphore import FairSemaphore

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
        self._permits, self._wait = FairSemaphore(threads), max_wait_seconds
        self._places, self._places_of_one = places, places_of_one

    async def run(self, queue: str, job: Callable[[], T]) -> T:
        """What the job returns; raises what it raises, or Unavailable."""
        if self._permits.users >= self._places or self._permits.users_of(queue) >= self._places_of_one:
            raise _full()
        try:
            async with asyncio.timeout(self._wait):
                await self._permits.acquire(queue)
        except TimeoutError:
            raise _full() from None
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, job)
        finally:
            self._permits.release(queue)

    def close(self) -> None:
        """End the threads after what they have in hand."""
        self._executor.shutdown(wait=False, cancel_futures=True)


def _full() -> Unavailable:
    return Unavailable("too many passwords are being checked, try again", code="PASSWORD_CHECKS_BUSY")
