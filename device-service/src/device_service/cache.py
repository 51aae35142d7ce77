"""A cache in Redis that a slow reader cannot fill with what has been replaced meanwhile."""

import time

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from fleet_kit.batched_reads import Answer, BatchedReads

log = structlog.get_logger(__name__)
TOMBSTONE_SECONDS = 5
"""After a change nobody may fill the entry for this long; readers ask Postgres meanwhile."""
SLOW_READ_SECONDS = 3.0
"""What took longer to read than this is not cached: its tombstone may be gone already."""
SKIP_AFTER_FAILURE_SECONDS = 1.0
_TOMBSTONE = b""
AWAY = (RedisError, OSError, TimeoutError)


class ReadCache:
    """Values by key for at most `ttl_seconds`; without Redis it is simply always empty.

    `forget` leaves a tombstone instead of deleting, and `fill` only writes where nothing stands. A reader
    that fetched the old row before the change and comes late therefore fails to fill it in.
    """

    def __init__(self, redis: Redis, reads: BatchedReads, prefix: str, ttl_seconds: int) -> None:
        self._redis, self._reads = redis, reads
        self._prefix, self._ttl = prefix, ttl_seconds
        self._skip_until = 0.0

    def ask(self, key: str) -> Answer | None:
        """Ask without waiting yet, so that one round trip answers other questions too; see `told`."""
        return None if time.monotonic() < self._skip_until else self._reads.ask(self._prefix + key)

    async def told(self, answer: Answer | None) -> bytes | None:
        """The value that was asked for, or None where there is none or Redis is away."""
        if answer is None:
            return None
        try:
            return (await answer)[0] or None
        except AWAY as error:
            self._is_away(error)
            return None

    async def get(self, key: str) -> bytes | None:
        """The value, or None where there is none or Redis is away."""
        return await self.told(self.ask(key))

    async def fill(self, key: str, value: bytes, *, read_at: float) -> None:
        """Keep a value that was read from Postgres beginning at `read_at` (time.monotonic)."""
        now = time.monotonic()
        if now < self._skip_until or now - read_at > SLOW_READ_SECONDS:
            return
        try:
            await self._redis.set(self._prefix + key, value, ex=self._ttl, nx=True)
        except AWAY as error:
            self._is_away(error)

    async def forget(self, *keys: str) -> None:
        """Drop values after a change has been committed; without Redis their time to live does it."""
        if not keys:
            return
        try:
            async with self._redis.pipeline(transaction=False) as pipeline:
                for key in keys:
                    pipeline.set(self._prefix + key, _TOMBSTONE, ex=TOMBSTONE_SECONDS)
                await pipeline.execute()
        except AWAY as error:
            self._is_away(error)

    def _is_away(self, error: Exception) -> None:
        log.warning("Redis is away, asking Postgres", error=repr(error))
        self._skip_until = time.monotonic() + SKIP_AFTER_FAILURE_SECONDS
