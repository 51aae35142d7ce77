"""Answers to reads, kept for a while: by organisation, made once for all who want the same."""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, TypeVar

from prometheus_client import Counter
from pydantic import BaseModel, ValidationError

from fleet_kit.errors import FleetError
from fleet_kit.scope import Scope
from sim_service.cache.changes import ALL_USAGE, EVERYTHING, lists_of, quotas, sim, usage
from sim_service.cache.store import Kept, RedisAway, Store

M = TypeVar("M", bound=BaseModel)

READS = Counter("sim_cache_reads_total", "Reads by whether the cache had the answer.", ["what", "outcome"])


class Read(StrEnum):
    """What is read; each has a lifetime of its own."""

    SIM_LIST = "sim_list"
    SIM = "sim"
    USAGE = "usage"
    QUOTA = "quota"


@dataclass(frozen=True, slots=True)
class Question(Generic[M]):
    """What somebody wants to know. `iccid` None: it is about all of the scope's SIMs.

    `age`: how many seconds of its lifetime an answer has behind it; None: it is not worth keeping.
    """

    what: Read
    scope: Scope
    query: str
    model: type[M]
    load: Callable[[], Awaitable[M]]
    iccid: str | None = None
    age: Callable[[M], float | None] = lambda _: 0.0

    @property
    def name(self) -> str:
        """No two scopes, SIMs or queries have the same."""
        digest = hashlib.sha256(self.query.encode()).hexdigest()[:32]
        return f"{self.what}:{self.scope.organization_id or '*'}:{self.iccid or ''}:{digest}"

    @property
    def depends(self) -> list[str]:
        """What makes the answer outdated when it changes."""
        if self.iccid is None:
            return [EVERYTHING, lists_of(self.scope.organization_id)]
        more = {Read.USAGE: [usage(self.iccid), ALL_USAGE], Read.QUOTA: [quotas(self.iccid)]}
        return [EVERYTHING, sim(self.iccid), *more.get(self.what, [])]


class ReadCache:
    """The cache of one process. `lives`: seconds for which answers are kept; 0 or none: not at all."""

    def __init__(self, store: Store, lives: Mapping[Read, float]) -> None:
        self._store, self._lives = store, lives
        self._flights: dict[str, asyncio.Future[Any]] = {}

    async def ask(self, question: Question[M]) -> M:
        """The kept answer, or a new one; without Redis always a new one."""
        if self._lives.get(question.what, 0.0) <= 0:
            return await question.load()
        try:
            entry, kept = await self._store.find(question.name, question.depends)
        except RedisAway:
            _count(question, "off")
            return await question.load()
        if (answer := _hit(question, kept)) is not None:
            return answer
        return await self._together(entry, question)

    async def forget(self, names: Collection[str]) -> None:
        """Answers that depend on these are not given again."""
        await self._store.forget(names)

    async def _together(self, entry: str, question: Question[M]) -> M:
        """One caller of this process makes the answer; the others share it, failures included."""
        if (flight := self._flights.get(entry)) is not None:
            _count(question, "shared")
            await asyncio.wait({flight})
            if flight.cancelled():
                return await question.load()
            shared: M = flight.result()
            return shared
        flight = self._flights[entry] = asyncio.get_running_loop().create_future()
        try:
            answer = await self._made(entry, question)
            flight.set_result(answer)
        except FleetError as error:
            flight.set_exception(error)
            flight.exception()  # it is no fault if nobody shares it
            raise
        finally:
            del self._flights[entry]
            flight.cancel()
        return answer

    async def _made(self, entry: str, question: Question[M]) -> M:
        """Make and keep the answer, unless another process is about to."""
        try:
            mine = await self._store.lock(entry)
            if not mine and (made := _hit(question, await self._store.of_another(entry))) is not None:
                return made
        except RedisAway:
            mine = False
        _count(question, "miss")
        try:
            answer = await question.load()
            await self._keep(entry, question, answer)
        finally:
            if mine:
                await self._unlock(entry)
        return answer

    async def _keep(self, entry: str, question: Question[M], answer: M) -> None:
        age = question.age(answer)
        left = 0.0 if age is None else self._lives[question.what] - age
        if left > 0:
            try:
                await self._store.keep(entry, answer.model_dump(mode="json", by_alias=False), left)
            except RedisAway:
                return

    async def _unlock(self, entry: str) -> None:
        try:
            await self._store.unlock(entry)
        except RedisAway:
            return


def _hit(question: Question[M], kept: Kept | None) -> M | None:
    """The kept answer as of now, None if there is none or a release that knew other fields has kept it."""
    if kept is None:
        return None
    try:
        answer = question.model.model_validate(_older(kept.body, max(0.0, time.time() - kept.at)))
    except ValidationError:
        return None
    _count(question, "hit")
    return answer


def _count(question: Question[M], outcome: str) -> None:
    READS.labels(question.what, outcome).inc()


def _older(body: Any, seconds: float) -> Any:
    """The same with its ages as they are now; what the owner wrote is left alone."""
    if isinstance(body, list):
        return [_older(one, seconds) for one in body]
    if not isinstance(body, dict):
        return body
    older = {name: value if name == "metadata" else _older(value, seconds) for name, value in body.items()}
    if isinstance(age := older.get("age_seconds"), int | float):
        older["age_seconds"] = round(age + seconds, 3)
    return older
