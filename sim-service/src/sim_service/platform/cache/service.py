"""Cache-aside for reads: the stored answer, or a new one computed once for all who want the same."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, TypeVar

from prometheus_client import Counter
from pydantic import BaseModel, ValidationError

from fleet_kit.redis_guard import RedisUnavailable
from fleet_kit.scope import Scope
from sim_service.platform.cache.store import CacheStore

M = TypeVar("M", bound=BaseModel)
READS = Counter("sim_cache_reads_total", "Reads by whether the cache had the answer.", ["what", "outcome"])


class CachedRead(StrEnum):
    """What is cached; each has a time to live of its own."""

    SIM_LIST = "sim_list"
    SIM = "sim"
    USAGE = "usage"
    QUOTA = "quota"


@dataclass(frozen=True, slots=True)
class CacheBounds:
    """How many answers of a kind are kept, how many of them for one organisation, and how large ones."""

    slots: int
    of_one: int
    most_bytes: int


CACHE_BOUNDS: Mapping[CachedRead, CacheBounds] = {
    CachedRead.SIM_LIST: CacheBounds(256, 64, 64 * 1024),
    CachedRead.SIM: CacheBounds(1024, 256, 8 * 1024),
    CachedRead.USAGE: CacheBounds(1024, 256, 8 * 1024),
    CachedRead.QUOTA: CacheBounds(1024, 256, 8 * 1024),
}


@dataclass(frozen=True, slots=True)
class CachedQuery(Generic[M]):
    """A read: `parameters` tell it from others of its kind and scope, `tags` say what outdates its answer.

    `age`: seconds of its time to live that an answer has behind it; None: it is not to be stored.
    """

    what: CachedRead
    scope: Scope
    parameters: str
    model: type[M]
    load: Callable[[], Awaitable[M]]
    tags: Sequence[str]
    age: Callable[[M], float | None] = lambda _: 0.0

    @property
    def key(self) -> str:
        return f"{self.what}:{self._owner}:{_digest(self.parameters)}"

    @property
    def slot(self) -> str:
        """Where its answer lies: one of the organisation's share, which begins at a place of its own."""
        bounds = CACHE_BOUNDS[self.what]
        place = int(_digest(self._owner), 16) + int(_digest(self.parameters), 16) % bounds.of_one
        return f"{self.what}:{place % bounds.slots}"

    @property
    def _owner(self) -> str:
        return str(self.scope.organization_id or "*")

    def count(self, outcome: str) -> None:
        READS.labels(self.what, outcome).inc()

    def parse(self, body: Any) -> M | None:
        """None also for an answer that another release stored with other fields."""
        try:
            answer = self.model.model_validate(body)
        except ValidationError:
            return None
        self.count("hit")
        return answer


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


class ReadCache:
    """The cache of one process. `ttl`: seconds for which answers are stored; 0 or none: not at all."""

    def __init__(self, store: CacheStore, ttl: Mapping[CachedRead, float]) -> None:
        self._store, self._ttl = store, ttl
        self._flights: dict[str, asyncio.Future[Any]] = {}

    async def get(self, query: CachedQuery[M]) -> M:
        """The stored answer, or a new one; without Redis always a new one."""
        if self._ttl.get(query.what, 0.0) <= 0:
            return await query.load()
        try:
            entry, stored = await self._store.find(query.slot, query.key, query.tags)
        except RedisUnavailable:
            query.count("off")
            return await query.load()
        return query.parse(stored) or await self._single_flight(entry, query)

    async def _single_flight(self, entry: str, query: CachedQuery[M]) -> M:
        """One caller of this process computes the answer; the others share it, failures included."""
        if (flight := self._flights.get(entry)) is not None:
            query.count("shared")
            await asyncio.wait({flight})
            shared: M = await query.load() if flight.cancelled() else flight.result()
            return shared
        flight = self._flights[entry] = asyncio.get_running_loop().create_future()
        try:
            answer = await self._compute(entry, query)
            flight.set_result(answer)
        except Exception as error:
            flight.set_exception(error)
            flight.exception()  # asyncio would complain if nobody shares it
            raise
        finally:
            del self._flights[entry]
            flight.cancel()
        return answer

    async def _compute(self, entry: str, query: CachedQuery[M]) -> M:
        query.count("miss")
        answer = await query.load()
        age = query.age(answer)
        if age is not None and (ttl := self._ttl[query.what] - age) > 0:
            body = answer.model_dump(mode="json", by_alias=False)
            await self._store.put(
                query.slot, entry, body, ttl, most_bytes=CACHE_BOUNDS[query.what].most_bytes
            )
        return answer
