"""Counting for limits, shared through Redis; while that is unavailable each replica counts for itself."""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from limits import RateLimitItem
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import MovingWindowRateLimiter
from redis.asyncio import Redis

from fleet_kit.errors import TooManyRequests
from fleet_kit.redis_guard import RedisGuard, RedisUnavailable

T = TypeVar("T")
Headers = Mapping[str, str]


@dataclass(frozen=True)
class Allowance:
    """What is left of a limit; `reset_at`, in seconds since the epoch, is when something comes back."""

    limit: int
    remaining: int
    reset_at: float

    @property
    def used(self) -> int:
        """How many were counted within the window."""
        return self.limit - self.remaining

    @property
    def headers(self) -> Headers:
        """Response headers that tell it."""
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(int(self.reset_at)),
        }


class LimitReached(TooManyRequests):
    """An allowance is used up."""

    def __init__(self, message: str, code: str, allowance: Allowance) -> None:
        wait = max(1, int(allowance.reset_at - time.time()) + 1)
        super().__init__(message, code=code, retry_after=wait)
        self._allowance = allowance

    @property
    def headers(self) -> dict[str, str]:
        """When to come again, and what the allowance is."""
        return {**super().headers, **self._allowance.headers}


class RateLimiter:
    """Counts within moving windows. Identifiers say whose count it is."""

    def __init__(self, redis: Redis) -> None:
        pool: Any = (
            redis.connection_pool
        )  # taken as it is, though the library types options as text or numbers
        storage = RedisStorage("async+redis://", implementation="redispy", connection_pool=pool)
        self._shared_limiter = MovingWindowRateLimiter(storage)
        self._local_limiter = MovingWindowRateLimiter(MemoryStorage())
        self._guard = RedisGuard("counting for limits in this process")

    async def hit(self, item: RateLimitItem, *identifiers: str) -> bool:
        """Count one; False, and nothing counted, where the allowance is used up."""
        return await self._with(lambda limiter: limiter.hit(item, *identifiers))

    async def allowance(self, item: RateLimitItem, *identifiers: str) -> Allowance:
        """What is left, without counting."""
        stats = await self._with(lambda limiter: limiter.get_window_stats(item, *identifiers))
        return Allowance(item.amount, max(0, stats.remaining), stats.reset_time)

    async def _with(self, ask: Callable[[MovingWindowRateLimiter], Awaitable[T]]) -> T:
        try:
            with self._guard.attempt():
                return await ask(self._shared_limiter)
        except RedisUnavailable:
            return await ask(self._local_limiter)
