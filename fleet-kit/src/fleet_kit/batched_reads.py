"""Reads of Redis that share round trips: what is asked for while one is under way goes with the next."""

import asyncio
from typing import Any

from redis.asyncio import Redis

PendingValues = asyncio.Future[list[bytes | None]]
"""The values to come, in the order of the keys; raises ConnectionError when Redis does not answer."""


class BatchedReads:
    """Merges the GETs of concurrent requests into one MGET at a time.

    A key is sent only after it was asked for, so an answer is never older than its question.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._waiting: list[tuple[tuple[str, ...], PendingValues]] = []
        self._task: asyncio.Task[None] | None = None

    def get(self, *keys: str) -> PendingValues:
        """Start reading without waiting yet; the result need not be awaited."""
        pending: PendingValues = asyncio.get_running_loop().create_future()
        self._waiting.append((keys, pending))
        if self._task is None:
            self._task = asyncio.create_task(self._read())
        return pending

    async def _read(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, []
                await self._answer(batch)
        finally:
            self._task = None
            for _, answer in self._waiting:
                answer.cancel()
            self._waiting = []

    async def _answer(self, batch: list[tuple[tuple[str, ...], PendingValues]]) -> None:
        wanted = list(dict.fromkeys(key for keys, _ in batch for key in keys))
        try:
            found: list[Any] = await self._redis.mget(wanted)
        except BaseException as error:
            for _, answer in batch:
                _fail(answer, error)
            if not isinstance(error, Exception):
                raise
            return
        values = dict(zip(wanted, found, strict=True))
        for keys, answer in batch:
            if not answer.done():
                answer.set_result([values[key] for key in keys])


def _fail(answer: PendingValues, error: BaseException) -> None:
    """An error of its own for each answer: a shared one would grow with each raise."""
    if not answer.done():
        answer.set_exception(ConnectionError(f"Redis did not answer: {error!r}"[:300]))
        answer.exception()  # seen: asyncio must not complain where nobody waits any more
