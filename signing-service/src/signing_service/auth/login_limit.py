"""A limit on failed logins, shared through Redis; while it is unavailable each replica counts for itself."""

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from limits import RateLimitItemPerMinute, WindowStats
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import MovingWindowRateLimiter
from redis.asyncio import Redis

from fleet_kit.errors import TooManyRequests, Unauthorized
from fleet_kit.redis_guard import RedisGuard, RedisUnavailable

T = TypeVar("T")
Headers = Mapping[str, str]


class WrongCredentials(Unauthorized):
    """No such account or another password; which of the two is not told."""

    def __init__(self, limit: Headers) -> None:
        super().__init__("e-mail address or password is wrong", code="INVALID_CREDENTIALS")
        self._limit = limit

    @property
    def headers(self) -> dict[str, str]:
        """The challenge, and what is left of the allowance."""
        return {**super().headers, **self._limit}


class TooManyFailures(TooManyRequests):
    """The account has to wait, for this address."""

    def __init__(self, limit: Headers, wait_seconds: int) -> None:
        message = "too many failed logins, wait before the next"
        super().__init__(message, code="LOGIN_RATE_LIMITED", retry_after=wait_seconds)
        self._limit = limit

    @property
    def headers(self) -> dict[str, str]:
        """When to come again, and what the allowance is."""
        return {**super().headers, **self._limit}


class LoginLimit:
    """Counts failures by account and address. Successful logins cost nothing."""

    def __init__(self, redis: Redis, failures_per_minute: int) -> None:
        self._item = RateLimitItemPerMinute(failures_per_minute)
        pool: Any = (
            redis.connection_pool
        )  # taken as it is, though the library types options as text or numbers
        storage = RedisStorage("async+redis://", implementation="redispy", connection_pool=pool)
        self._shared_limiter = MovingWindowRateLimiter(storage)
        self._local_limiter = MovingWindowRateLimiter(MemoryStorage())
        self._guard = RedisGuard("counting logins in this process")

    async def check(self, email: str, address: str) -> Headers:
        """Headers that tell what is left; raises TooManyFailures when nothing is."""
        stats = await self._with(lambda limiter: limiter.get_window_stats(self._item, email, address))
        if stats.remaining <= 0:
            wait = max(1, int(stats.reset_time - time.time()) + 1)
            raise TooManyFailures(self._headers(stats), wait)
        return self._headers(stats)

    async def failed(self, email: str, address: str) -> WrongCredentials:
        """Count one failure and return its error; raises TooManyFailures if it was one too many."""
        if not await self._with(lambda limiter: limiter.hit(self._item, email, address)):
            await self.check(email, address)
        stats = await self._with(lambda limiter: limiter.get_window_stats(self._item, email, address))
        return WrongCredentials(self._headers(stats))

    def _headers(self, stats: WindowStats) -> Headers:
        return {
            "X-RateLimit-Limit": str(self._item.amount),
            "X-RateLimit-Remaining": str(max(0, stats.remaining)),
            "X-RateLimit-Reset": str(int(stats.reset_time)),
        }

    async def _with(self, ask: Callable[[MovingWindowRateLimiter], Awaitable[T]]) -> T:
        try:
            with self._guard.attempt():
                return await ask(self._shared_limiter)
        except RedisUnavailable:
            return await ask(self._local_limiter)
