"""A limit on failed logins, shared through Redis; while it is away each replica counts for itself."""

import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog
from limits import RateLimitItemPerMinute, WindowStats
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import MovingWindowRateLimiter
from redis.exceptions import RedisError

from fleet_kit.errors import TooManyRequests

log = structlog.get_logger(__name__)
T = TypeVar("T")


class LoginAttempts:
    """Counts failures by account and address. Successful logins cost nothing."""

    def __init__(self, redis_url: str, failures_per_minute: int) -> None:
        self._item = RateLimitItemPerMinute(failures_per_minute)
        shared = RedisStorage(f"async+{redis_url}", implementation="redispy", socket_timeout=0.5)
        self._shared = MovingWindowRateLimiter(shared)
        self._own = MovingWindowRateLimiter(MemoryStorage())

    async def check(self, email: str, address: str) -> dict[str, str]:
        """Headers that tell what is left; raises TooManyRequests when nothing is."""
        stats = await self._with(lambda limiter: limiter.get_window_stats(self._item, email, address))
        headers = self._headers(stats)
        if stats.remaining <= 0:
            wait = max(1, int(stats.reset_time - time.time()) + 1)
            raise TooManyRequests(
                "too many failed logins, wait before the next", code="LOGIN_RATE_LIMITED", retry_after=wait
            )
        return headers

    async def failed(self, email: str, address: str) -> None:
        """Count one failure."""
        await self._with(lambda limiter: limiter.hit(self._item, email, address))

    def _headers(self, stats: WindowStats) -> dict[str, str]:
        return {
            "X-RateLimit-Limit": str(self._item.amount),
            "X-RateLimit-Remaining": str(max(0, stats.remaining)),
            "X-RateLimit-Reset": str(int(stats.reset_time)),
        }

    async def _with(self, ask: Callable[[MovingWindowRateLimiter], Awaitable[T]]) -> T:
        try:
            return await ask(self._shared)
        except (RedisError, OSError, TimeoutError) as error:
            log.warning("Redis is away, counting logins in this process", error=repr(error))
            return await ask(self._own)
