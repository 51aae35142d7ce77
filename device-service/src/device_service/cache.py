"""A cache in Redis that a slow reader cannot fill with what has been replaced meanwhile."""

import time

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

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

    def __init__(self, redis: Redis, prefix: str, ttl_seconds: int) -> None:
        self._redis, self._prefix, self._ttl = redis, prefix, ttl_seconds
        self._skip_until = 0.0

    async def get(self, key: str) -> bytes | None:
        """The value, or None where there is none or Redis is away."""
        if time.monotonic() < self._skip_until:
            return None
        try:
            value = await self._redis.get(self._prefix + key)
        except AWAY as error:
            self._is_away(error)
            return None
        return value if value and isinstance(value, bytes) else None

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
