"""Wakes the live feeds of all API processes when something was stored."""

import asyncio
from contextlib import suppress
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

CHANNEL = "monitoring:stored"


class StoredNotifier:
    """Tells the live feeds over Redis that something was stored; coalesced, and never waited for."""

    def __init__(self, redis: Redis) -> None:
        self._redis, self._again = redis, False
        self._task: asyncio.Task[None] | None = None

    def __call__(self, *_: Any) -> None:
        self._again = True
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._notify())

    async def _notify(self) -> None:
        while self._again:
            self._again = False
            with suppress(RedisError, OSError, TimeoutError):
                await self._redis.publish(CHANNEL, "")
