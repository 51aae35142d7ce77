"""Cached answers in Redis, found by the present versions of their tags.

Invalidating a tag gives it a new version, so that older answers are never found again and expire. An answer
read before a commit and stored after it still carries the old version.
"""

import asyncio
import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import Any
from uuid import uuid4

import orjson
from redis.asyncio import Redis

from fleet_kit.json_object import encode_json
from fleet_kit.redis_guard import RedisGuard, RedisUnavailable

EVERYTHING = "all"
"""A tag of every answer."""
MAX_TAGS = 3_000
"""More tags than this are invalidated as EVERYTHING, which costs less than naming them."""
_VERSION_SECONDS = 86_400
_RETRY_SECONDS = 2.0
_FIND = """
local entry = ARGV[1]
for _, key in ipairs(KEYS) do
  local version = redis.call('GET', key)
  if not version then
    version = ARGV[2]
    redis.call('SET', key, version, 'EX', ARGV[3])
  end
  entry = entry .. ':' .. version
end
return {entry, redis.call('GET', entry)}
"""


class CacheStore:
    """Answers are JSON values. Without Redis `find` raises RedisUnavailable, and the others do without."""

    def __init__(self, redis: Redis) -> None:
        self._redis, self._find = redis, redis.register_script(_FIND)
        self._guard = RedisGuard("nothing is cached", retry_after_seconds=_RETRY_SECONDS)
        self._pending: dict[str, str] = {}
        self._retry: asyncio.Task[None] | None = None

    async def find(self, key: str, tags: Sequence[str]) -> tuple[str, Any]:
        """The entry for the present versions of the tags, and its answer, None if there is none."""
        with self._guard.attempt():
            await self._write_pending()
            keys = [_version_key(tag) for tag in (EVERYTHING, *tags)]
            args: list[str | int] = [f"sim-cache:{key}", _new_version(), _VERSION_SECONDS]
            entry, stored = await self._find(keys=keys, args=args)
        return entry.decode(), _read(stored)

    async def put(self, entry: str, body: Any, ttl_seconds: float) -> None:
        stored = encode_json({"at": time.time(), "body": body})
        with suppress(RedisUnavailable), self._guard.attempt():
            await self._redis.set(entry, stored, px=max(1, round(ttl_seconds * 1000)))

    async def invalidate(self, tags: Collection[str]) -> None:
        """Give tags new versions. While Redis is unavailable they wait; they are written before any read."""
        self._pending |= {_version_key(tag): _new_version() for tag in tags}
        if len(self._pending) > MAX_TAGS:
            self._pending = {_version_key(EVERYTHING): _new_version()}
        try:
            with suppress(RedisUnavailable), self._guard.attempt():
                await self._write_pending()
        finally:  # also where the request that committed was cancelled
            if self._pending and (self._retry is None or self._retry.done()):
                self._retry = asyncio.create_task(self._retry_pending())

    async def _write_pending(self) -> None:
        pending = dict(self._pending)
        async with self._redis.pipeline(transaction=False) as pipeline:
            for key, version in pending.items():
                pipeline.set(key, version, ex=_VERSION_SECONDS)
            await pipeline.execute()
        # What was invalidated once more meanwhile still waits.
        self._pending = {key: new for key, new in self._pending.items() if pending.get(key) != new}

    async def _retry_pending(self) -> None:
        while self._pending:
            await asyncio.sleep(_RETRY_SECONDS)
            with suppress(RedisUnavailable), self._guard.attempt():
                await self._write_pending()


def _new_version() -> str:
    return uuid4().hex[:12]


def _version_key(tag: str) -> str:
    return f"sim-cache:mark:{tag}"  # the name that earlier releases use


def _read(stored: bytes | str | None) -> Any:
    """The stored answer with its ages as they are now."""
    if stored is None:
        return None
    answer = orjson.loads(stored)
    return _aged(answer["body"], max(0.0, time.time() - answer["at"]))


def _aged(body: Any, seconds: float) -> Any:
    if isinstance(body, list):
        return [_aged(one, seconds) for one in body]
    if not isinstance(body, dict):
        return body
    # `metadata` is the owner's own: an age_seconds in it is none of ours.
    aged = {name: value if name == "metadata" else _aged(value, seconds) for name, value in body.items()}
    if isinstance(age := aged.get("age_seconds"), int | float):
        aged["age_seconds"] = round(age + seconds, 3)
    return aged
