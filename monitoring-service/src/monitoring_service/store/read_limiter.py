"""Who may read the store: every organisation may, whatever another one asks for.

A request reads in short pieces, and each takes a permit. An organisation has few permits at a time, so the
queue for the store holds few pieces of each, and is worked off in its order: who asks a thousand questions
waits behind its own. After a piece its organisation rests for as long as that took, and so never has all of
the store.
"""

import asyncio

from fleet_kit.errors import Unavailable
from fleet_kit.fair_semaphore import FairSemaphore

RETRY_AFTER_SECONDS = 2


class QueriesBusy(Unavailable):
    """No permit came in time, or too many are waited for already."""

    default_code = "QUERIES_BUSY"


class ReadLimiter:
    """Reads of one process.

    `at_once`: reads under way at a time, `each`: those of one organisation, `waiting`: how many more it may
    have waiting, `rest`: its pause after a read, as a multiple of the read's time.
    """

    def __init__(self, *, at_once: int, each: int, waiting: int, rest: float) -> None:
        self._permits = FairSemaphore(at_once, each=each)
        self._each, self._waiting, self._rest = each, waiting, rest

    async def acquire(self, organization: str, seconds: float) -> None:
        """Wait for a permit, which `release` gives back; raises QueriesBusy if none comes in `seconds`."""
        users = self._permits.users_of(organization)
        if users >= self._each + self._waiting:
            raise QueriesBusy(
                f"your organisation waits for {users} queries already; ask fewer at a time",
                retry_after=RETRY_AFTER_SECONDS,
            )
        try:
            async with asyncio.timeout(seconds):
                await self._permits.acquire(organization)
        except TimeoutError:
            raise QueriesBusy(
                "the store is busy with earlier queries; ask fewer at a time, or come again",
                retry_after=RETRY_AFTER_SECONDS,
            ) from None

    def release(self, organization: str, took: float) -> None:
        """Give back the permit of a read that took so many seconds."""
        self._permits.release(organization, rest=took * self._rest)
