"""Reads of Redis that share round trips: what is asked for while one is under way goes with the next."""

import asyncio
from typing import Any

from redis.asyncio import Redis

Answer = asyncio.Future[bytes | None]


class BatchedReads:
    """Merges the GETs of concurrent requests into one MGET at a time.

    A key is asked for only after `get` was called, so an answer is never older than its question. All answers
    of a round trip that fails raise its error.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._waiting: list[tuple[str, Answer]] = []
        self._task: asyncio.Task[None] | None = None

    def get(self, key: str) -> Answer:
        """The value to come; it need not be awaited."""
        answer: Answer = asyncio.get_running_loop().create_future()
        answer.add_done_callback(_retrieved)
        self._waiting.append((key, answer))
        if self._task is None:
            self._task = asyncio.create_task(self._read())
        return answer

    async def mget(self, *keys: str) -> list[bytes | None]:
        """The values in the order of the keys; raises what Redis raises."""
        answers = [self.get(key) for key in keys]
        return [await answer for answer in answers]

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

    async def _answer(self, batch: list[tuple[str, Answer]]) -> None:
        keys = list(dict.fromkeys(key for key, _ in batch))
        try:
            found: list[Any] = await self._redis.mget(keys)
            values = dict(zip(keys, found, strict=True))
        except BaseException as error:
            for _, answer in batch:
                if not answer.done():
                    answer.set_exception(_copy(error))
            if not isinstance(error, Exception):
                raise
            return
        for key, answer in batch:
            if not answer.done():
                answer.set_result(values[key])


def _retrieved(answer: Answer) -> None:
    """Nobody may wait any more: then the error is nobody's."""
    if not answer.cancelled():
        answer.exception()


def _copy(error: BaseException) -> Exception:
    """One error for each waiter: a shared one would grow a traceback with each raise."""
    return ConnectionError(f"Redis did not answer: {error!r}"[:300])
