"""A cache in Redis that a slow reader cannot fill with what has been replaced meanwhile."""

import time
import zlib
from contextlib import suppress

from redis.asyncio import Redis
from redis.exceptions import OutOfMemoryError

from fleet_kit.batched_reads import BatchedReads, PendingValues
from fleet_kit.redis_guard import REDIS_ERRORS, RedisGuard, RedisUnavailable

TOMBSTONE_SECONDS = 5
"""After a change nobody may fill the entry for this long; readers ask Postgres meanwhile."""
SLOW_READ_SECONDS = 3.0
"""What took longer to read than this is not cached: its tombstone may be gone already."""
MOST_BYTES = 2048
"""Larger values are not cached."""
_TOMBSTONE = b""


class ReadCache:
    """Values by key for at most `ttl_seconds`; without Redis it is simply always empty.

    `invalidate` leaves a tombstone instead of deleting, and `fill` only writes where nothing stands. A reader
    that fetched the old row before the change and comes late therefore fails to fill it in.

    Keys share a fixed number of slots, so that no number of keys fills Redis. Whoever has a slot keeps it
    until its time is over, and a change drops whatever is there.
    """

    def __init__(
        self, redis: Redis, reads: BatchedReads, prefix: str, ttl_seconds: int, *, slots: int
    ) -> None:
        self._redis, self._reads = redis, reads
        self._prefix, self._ttl, self._slots = prefix, ttl_seconds, slots
        self._guard = RedisGuard("asking Postgres")

    def start_get(self, key: str) -> PendingValues | None:
        """Start reading without waiting, so that one round trip answers other reads too; see `finish_get`."""
        return None if self._guard.is_open else self._reads.get(self._slot(key))

    async def finish_get(self, key: str, pending: PendingValues | None) -> bytes | None:
        """The value of `start_get`, or None where there is none or Redis is unavailable."""
        if pending is None:
            return None
        try:
            stored = (await pending)[0] or _TOMBSTONE
        except REDIS_ERRORS as error:
            self._guard.record_failure(error)
            return None
        name = _name(key)
        return stored[len(name) :] if stored.startswith(name) else None

    async def get(self, key: str) -> bytes | None:
        """The value, or None where there is none or Redis is unavailable."""
        return await self.finish_get(key, self.start_get(key))

    async def fill(self, key: str, value: bytes, *, read_at: float) -> None:
        """Keep a value that was read from Postgres beginning at `read_at` (time.monotonic)."""
        if time.monotonic() - read_at > SLOW_READ_SECONDS or len(value) > MOST_BYTES:
            return
        with suppress(RedisUnavailable), self._guard.attempt():
            await self._redis.set(self._slot(key), _name(key) + value, ex=self._ttl, nx=True)

    async def invalidate(self, *keys: str) -> None:
        """Drop values after a change has been committed; without Redis their time to live does it."""
        if not keys:
            return
        slots = {self._slot(key) for key in keys}
        try:
            async with self._redis.pipeline(transaction=False) as pipeline:
                for slot in slots:
                    pipeline.set(slot, _TOMBSTONE, ex=TOMBSTONE_SECONDS)
                await pipeline.execute()
        except OutOfMemoryError:
            await self._delete(slots)
        except REDIS_ERRORS as error:
            self._guard.record_failure(error)

    async def _delete(self, slots: set[str]) -> None:
        """What a full Redis still does; nobody can fill them in either."""
        with suppress(RedisUnavailable), self._guard.attempt():
            await self._redis.unlink(*slots)

    def _slot(self, key: str) -> str:
        return f"{self._prefix}{zlib.crc32(key.encode()) % self._slots}"


def _name(key: str) -> bytes:
    """What a value begins with, so that nobody takes that of another key in its slot."""
    return f"{key} ".encode()
