"""The answers in Redis, found by marks of what they depend on.

A change sets a new mark after its commit, so that older answers are never found again; they leave by their
lifetime. An answer that was read before a commit and is kept after it still carries the old mark.
"""

import asyncio
import time
from collections.abc import Awaitable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import uuid4

import orjson
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from sim_service.cache.changes import EVERYTHING

log = structlog.get_logger(__name__)
T = TypeVar("T")

_PREFIX = "sim-cache"
_MARK_SECONDS = 86_400
_LOCK_MS, _LOCK_LOOKS, _LOCK_LOOK_SECONDS = 3000, 20, 0.05
_AWAY_SECONDS = 2.0
_MOST_OWED = 10_000

_FIND = """
local entry = ARGV[1]
for _, key in ipairs(KEYS) do
  local mark = redis.call('GET', key)
  if not mark then
    mark = ARGV[2]
    redis.call('SET', key, mark, 'EX', ARGV[3])
  end
  entry = entry .. ':' .. mark
end
return {entry, redis.call('GET', entry)}
"""


class RedisAway(Exception):
    """Nothing can be looked up or kept, and nothing that is kept may be believed."""


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer as JSON and when it was made, in seconds since 1970."""

    at: float
    body: Any


class Store:
    """Keeps answers. While Redis is away it is asked again every two seconds only."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._find = redis.register_script(_FIND)
        self._owed: set[str] = set()
        self._away_until = 0.0
        self._retry: asyncio.Task[None] | None = None

    async def find(self, name: str, depends: Sequence[str]) -> tuple[str, Kept | None]:
        """The present key of an answer and the answer, if there is one; raises RedisAway."""
        await self._settle()
        keys = [f"{_PREFIX}:mark:{one}" for one in depends]
        args: list[str | int] = [f"{_PREFIX}:{name}", uuid4().hex[:12], _MARK_SECONDS]
        entry, kept = await self._asked(self._find(keys=keys, args=args))
        return entry.decode(), _read(kept)

    async def keep(self, entry: str, body: Any, seconds: float) -> None:
        """Keep an answer; raises RedisAway."""
        kept = orjson.dumps({"at": time.time(), "body": body})
        await self._asked(self._redis.set(entry, kept, px=max(1, round(seconds * 1000))))

    async def lock(self, entry: str) -> bool:
        """Whether this process is to make the answer; for three seconds no other is. Raises RedisAway."""
        return bool(await self._asked(self._redis.set(f"{entry}:lock", b"1", nx=True, px=_LOCK_MS)))

    async def unlock(self, entry: str) -> None:
        """The answer is kept, or there will be none; raises RedisAway."""
        await self._asked(self._redis.delete(f"{entry}:lock"))

    async def of_another(self, entry: str) -> Kept | None:
        """Wait a second at most for the answer that another process makes; raises RedisAway."""
        for _ in range(_LOCK_LOOKS):
            await asyncio.sleep(_LOCK_LOOK_SECONDS)
            kept, lock = await self._asked(self._redis.mget(entry, f"{entry}:lock"))
            if kept is not None or lock is None:
                return _read(kept)
        return None

    async def forget(self, names: Collection[str]) -> None:
        """Answers that depend on these are not found again; while Redis is away, it is told later."""
        self._owed |= {f"{_PREFIX}:mark:{name}" for name in names}
        if len(self._owed) > _MOST_OWED:
            self._owed = {f"{_PREFIX}:mark:{EVERYTHING}"}
        try:
            await self._settle()
        except RedisAway:
            if self._retry is None or self._retry.done():
                self._retry = asyncio.create_task(self._settle_later())

    async def _settle(self) -> None:
        if not (owed := set(self._owed)):
            return
        async with self._redis.pipeline(transaction=False) as pipeline:
            for key in owed:
                pipeline.set(key, uuid4().hex[:12], ex=_MARK_SECONDS)
            await self._asked(pipeline.execute())
        self._owed -= owed

    async def _settle_later(self) -> None:
        while self._owed:
            await asyncio.sleep(_AWAY_SECONDS)
            try:
                await self._settle()
            except RedisAway:
                continue

    async def _asked(self, question: Awaitable[T]) -> T:
        if time.monotonic() < self._away_until:
            if asyncio.iscoroutine(question):
                question.close()
            raise RedisAway
        try:
            return await question
        except (RedisError, OSError, TimeoutError) as error:
            self._away_until = time.monotonic() + _AWAY_SECONDS
            log.warning("redis is away, nothing is cached", error=type(error).__name__)
            raise RedisAway from error


def _read(kept: bytes | str | None) -> Kept | None:
    return None if kept is None else Kept(**orjson.loads(kept))
