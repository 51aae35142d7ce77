"""Who may read the store: every organisation may, whatever another one asks for.

A request reads in short pieces, and each takes a permit. An organisation has few permits at a time, so the
queue for the store holds few pieces of each, and is worked off in its order: who asks a thousand questions
waits behind its own. After a piece its organisation rests for as long as that took, and so never has all of
the store.
"""

import asyncio
from dataclasses import dataclass

from fleet_kit.errors import Unavailable

RETRY_AFTER_SECONDS = 2


class QueriesBusy(Unavailable):
    """No permit came in time, or too many are waited for already."""

    default_code = "QUERIES_BUSY"


@dataclass(slots=True)
class _Own:
    """Permits of one organisation; `users` hold or wait for one."""

    permits: asyncio.Semaphore
    users: int = 0


class ReadLimiter:
    """Reads of one process.

    `at_once`: reads under way at a time, `each`: those of one organisation, `waiting`: how many more it may
    have waiting, `rest`: its pause after a read, as a multiple of the read's time.
    """

    def __init__(self, *, at_once: int, each: int, waiting: int, rest: float) -> None:
        self._permits, self._own = asyncio.Semaphore(at_once), dict[str, _Own]()
        self._each, self._waiting, self._rest = each, waiting, rest

    async def acquire(self, organization: str, seconds: float) -> None:
        """Wait for a permit, which `release` gives back; raises QueriesBusy if none comes in `seconds`."""
        own = self._own.setdefault(organization, _Own(asyncio.Semaphore(self._each)))
        if own.users >= self._each + self._waiting:
            raise QueriesBusy(
                f"your organisation waits for {own.users} queries already; ask fewer at a time",
                retry_after=RETRY_AFTER_SECONDS,
            )
        own.users += 1
        try:
            async with asyncio.timeout(seconds):
                await self._take(own)
        except TimeoutError:
            self._leave(organization)
            raise QueriesBusy(
                "the store is busy with earlier queries; ask fewer at a time, or come again",
                retry_after=RETRY_AFTER_SECONDS,
            ) from None
        except BaseException:
            self._leave(organization)
            raise

    def release(self, organization: str, took: float) -> None:
        """Give back the permit of a read that took so many seconds."""
        self._permits.release()
        asyncio.get_running_loop().call_later(took * self._rest, self._rested, organization)

    async def _take(self, own: _Own) -> None:
        await own.permits.acquire()
        try:
            await self._permits.acquire()
        except BaseException:
            own.permits.release()
            raise

    def _rested(self, organization: str) -> None:
        self._own[organization].permits.release()
        self._leave(organization)

    def _leave(self, organization: str) -> None:
        own = self._own[organization]
        own.users -= 1
        if not own.users:
            del self._own[organization]
