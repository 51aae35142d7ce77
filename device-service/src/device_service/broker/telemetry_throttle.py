"""Which devices may not log in for a while, because they sent too much."""

from contextlib import suppress
from uuid import UUID

from redis.asyncio import Redis

from fleet_kit.redis_guard import RedisGuard, RedisUnavailable

THROTTLE_SECONDS = 30
"""How long a device is kept away; it is named again if it goes on afterwards."""


class TelemetryThrottle:
    """Keys in Redis: without it, and while it is full, nobody is kept away or has sessions closed for it."""

    def __init__(self, redis: Redis) -> None:
        self._redis, self._guard = redis, RedisGuard("throttling no device")

    async def holds(self, device_id: UUID) -> bool:
        """Whether the device is kept away."""
        try:
            with self._guard.attempt():
                return bool(await self._redis.exists(_key(device_id)))
        except RedisUnavailable:
            return False

    async def start(self, device_id: UUID) -> bool:
        """Keep it away from now on; False where it is already, or Redis is unavailable."""
        try:
            with self._guard.attempt():
                return bool(await self._redis.set(_key(device_id), b"1", ex=THROTTLE_SECONDS, nx=True))
        except RedisUnavailable:
            return False

    async def undo(self, device_id: UUID) -> None:
        """Let it be named again; while Redis is unavailable it is when its time is over."""
        with suppress(RedisUnavailable), self._guard.attempt():
            await self._redis.delete(_key(device_id))


def _key(device_id: UUID) -> str:
    return f"device:throttled:{device_id}"
