"""Cached answers in Redis, found by the present versions of their tags.

Invalidating a tag gives it a new version, so that older answers are never found again and expire. An answer
read before a commit and stored after it still carries the old version.

An answer lies in one of a fixed number of slots and replaces the one before it there, so that no number of
different questions fills Redis. Reading writes nothing.
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
_LONGEST_SECONDS = 86_400.0
_SLOW_READ_SECONDS = 3_600
_RETRY_SECONDS = 2.0
# `#!lua`: a full Redis refuses it, so that nobody believes versions that could not change.
_FIND = """#!lua
local entry = ARGV[1]
for number = 2, #KEYS do
  entry = entry .. ':' .. (redis.call('GET', KEYS[number]) or '-')
end
local stored = redis.call('GET', KEYS[1])
if stored and string.sub(stored, 1, #entry + 1) == entry .. ' ' then
  return {entry, string.sub(stored, #entry + 2)}
end
return {entry, false}
"""


class CacheStore:
    """Answers are JSON values. Without Redis `find` raises RedisUnavailable, and the others do without.

    `longest_seconds`: no answer is stored for longer. A version is kept until all read before it are gone.
    """

    def __init__(self, redis: Redis, *, longest_seconds: float = _LONGEST_SECONDS) -> None:
        self._redis, self._find = redis, redis.register_script(_FIND)
        self._version_seconds = round(longest_seconds) + _SLOW_READ_SECONDS
        self._guard = RedisGuard("nothing is cached", retry_after_seconds=_RETRY_SECONDS)
        self._pending: dict[str, str] = {}
        self._retry: asyncio.Task[None] | None = None

    async def find(self, slot: str, key: str, tags: Sequence[str]) -> tuple[str, Any]:
        """The entry for the present versions of the tags, and its answer, None if there is none."""
        with self._guard.attempt():
            await self._write_pending()
            keys = [_slot_key(slot), *(_version_key(tag) for tag in (EVERYTHING, *tags))]
            entry, stored = await self._find(keys=keys, args=[key])
        return entry.decode(), _read(stored)

    async def put(self, slot: str, entry: str, body: Any, ttl_seconds: float, *, most_bytes: int) -> None:
        """Store an answer in place of the one in its slot; larger ones are not stored."""
        stored = encode_json({"at": time.time(), "body": body})
        if len(stored) > most_bytes:
            return
        with suppress(RedisUnavailable), self._guard.attempt():
            value = f"{entry} ".encode() + stored
            await self._redis.set(_slot_key(slot), value, px=max(1, round(ttl_seconds * 1000)))

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
                pipeline.set(key, version, ex=self._version_seconds)
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


def _slot_key(slot: str) -> str:
    return f"sim-cache:slot:{slot}"


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
