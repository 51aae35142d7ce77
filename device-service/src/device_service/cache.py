"""A cache in Redis that a slow reader cannot fill with what has been replaced meanwhile."""

import time
from contextlib import suppress

from redis.asyncio import Redis

from fleet_kit.batched_reads import BatchedReads, PendingValues
from fleet_kit.redis_guard import REDIS_ERRORS, RedisGuard, RedisUnavailable

TOMBSTONE_SECONDS = 5
"""After a change nobody may fill the entry for this long; readers ask Postgres meanwhile."""
SLOW_READ_SECONDS = 3.0
"""What took longer to read than this is not cached: its tombstone may be gone already."""
_TOMBSTONE = b""


class ReadCache:
    """Values by key for at most `ttl_seconds`; without Redis it is simply always empty.

    `invalidate` leaves a tombstone instead of deleting, and `fill` only writes where nothing stands. A reader
    that fetched the old row before the change and comes late therefore fails to fill it in.
    """

    def __init__(self, redis: Redis, reads: BatchedReads, prefix: str, ttl_seconds: int) -> None:
        self._redis, self._reads = redis, reads
        self._prefix, self._ttl = prefix, ttl_seconds
        self._guard = RedisGuard("asking Postgres")

    def start_get(self, key: str) -> PendingValues | None:
        """Start reading without waiting, so that one round trip answers other reads too; see `finish_get`."""
        return None if self._guard.is_open else self._reads.get(self._prefix + key)

    async def finish_get(self, pending: PendingValues | None) -> bytes | None:
        """The value of `start_get`, or None where there is none or Redis is unavailable."""
        if pending is None:
            return None
        try:
            return (await pending)[0] or None
        except REDIS_ERRORS as error:
            self._guard.record_failure(error)
            return None

    async def get(self, key: str) -> bytes | None:
        """The value, or None where there is none or Redis is unavailable."""
        return await self.finish_get(self.start_get(key))

    async def fill(self, key: str, value: bytes, *, read_at: float) -> None:
        """Keep a value that was read from Postgres beginning at `read_at` (time.monotonic)."""
        if time.monotonic() - read_at > SLOW_READ_SECONDS:
            return
        with suppress(RedisUnavailable), self._guard.attempt():
            await self._redis.set(self._prefix + key, value, ex=self._ttl, nx=True)

    async def invalidate(self, *keys: str) -> None:
        """Drop values after a change has been committed; without Redis their time to live does it."""
        if not keys:
            return
        try:
            async with self._redis.pipeline(transaction=False) as pipeline:
                for key in keys:
                    pipeline.set(self._prefix + key, _TOMBSTONE, ex=TOMBSTONE_SECONDS)
                await pipeline.execute()
        except REDIS_ERRORS as error:
            self._guard.record_failure(error)
