"""A circuit breaker for Redis: after a failure it is not called for a while, then by one call first.

Everything here that uses Redis has another way, slower or stricter; without the breaker each request would
first wait for the timeout.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from redis.exceptions import RedisError

log = structlog.get_logger(__name__)

REDIS_ERRORS = (RedisError, OSError, TimeoutError)


class RedisUnavailable(Exception):
    """Redis did not answer, or has failed so recently that it was not asked."""


class RedisGuard:
    """Remembers that Redis has failed. `fallback` tells the log what happens instead."""

    def __init__(self, fallback: str, *, retry_after_seconds: float = 1.0) -> None:
        self._fallback, self._retry_after = fallback, retry_after_seconds
        self._open_until, self._has_failed = 0.0, False

    @property
    def is_open(self) -> bool:
        """Whether Redis is not to be asked at the moment."""
        return time.monotonic() < self._open_until

    def record_failure(self, error: Exception) -> None:
        """Leave Redis alone for `retry_after_seconds`."""
        if not self._has_failed:
            log.warning("Redis is unavailable", fallback=self._fallback, error=repr(error))
        self._has_failed, self._open_until = True, time.monotonic() + self._retry_after

    def reset(self) -> None:
        """Let the next attempt ask Redis again."""
        self._has_failed, self._open_until = False, 0.0

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Around calls of Redis; raises RedisUnavailable when they fail, or at once after a failure."""
        if self.is_open:
            raise RedisUnavailable
        if self._has_failed:  # whoever comes meanwhile need not wait for this attempt's timeout
            self._open_until = time.monotonic() + self._retry_after
        try:
            yield
        except REDIS_ERRORS as error:
            self.record_failure(error)
            raise RedisUnavailable from error
        self.reset()
