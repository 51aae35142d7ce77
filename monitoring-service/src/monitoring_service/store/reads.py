"""Reading the store: at once for the service's own work, by permit and within a budget for a request.

Every read says how many documents it takes at most: a process holds them all in memory.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

import pymongo

from fleet_kit.errors import Unavailable
from monitoring_service.store.client import Collection, Document
from monitoring_service.store.read_limiter import RETRY_AFTER_SECONDS, ReadLimiter

PIECE = 150
"""Documents that one read of a request should answer with: what others may have to wait behind."""
MOST_ROWS = 500
"""Documents that one read takes at most, each of up to some 25 KB in memory: of what is sent on purpose to be
found at once there may be any number."""
READ_COST = 25
"""What a read costs the store beside its documents, in documents."""


class Query(Protocol):
    """What has been asked of a collection, not sent yet."""

    def limit(self, limit: int) -> Any:
        """Answer with at most so many."""

    def to_list(self, length: int | None) -> Any:
        """Send it; awaitable."""


@dataclass(frozen=True, slots=True)
class Aggregation:
    """A pipeline as a query."""

    collection: Collection
    pipeline: list[Document]

    def limit(self, limit: int) -> "Aggregation":
        """Answer with at most so many."""
        return Aggregation(self.collection, [*self.pipeline, {"$limit": limit}])

    def to_list(self, length: int | None) -> Any:
        """Send it; awaitable."""
        return self.collection.aggregate(self.pipeline).to_list(length)


class Reads(Protocol):
    """Sends queries. `exhausted`: whoever reads should end with what it has."""

    @property
    def exhausted(self) -> bool:
        """Whether nothing more should be read."""

    async def rows(self, query: Query, most: int) -> list[Document]:
        """The first `most` that the query answers: fewer are all."""


class PlainReads:
    """For the service's own work: nothing but the store bounds it."""

    @property
    def exhausted(self) -> bool:
        """Never: see Reads."""
        return False

    async def rows(self, query: Query, most: int) -> list[Document]:
        """See Reads; raises StoreError."""
        return list(await query.limit(most).to_list(most))


class QueryTimedOut(Unavailable):
    """The request's time was used up."""

    default_code = "QUERY_TIMED_OUT"


class ClientGone(Unavailable):
    """Nobody waits for the answer any more; this one is for the log."""

    default_code = "CLIENT_GONE"


class SharedReads:
    """Reads that each take a permit of their organisation; nothing bounds how many."""

    @property
    def exhausted(self) -> bool:
        """Never: see Reads."""
        return False

    def __init__(
        self, limiter: ReadLimiter, organization: str, *, seconds: float, store_seconds: float = 10.0
    ) -> None:
        """`seconds`: longest time of a read, waiting included; `store_seconds`: of the store's answer."""
        self._limiter, self._organization, self.seconds = limiter, organization, seconds
        self._store_seconds = store_seconds

    async def rows(self, query: Query, most: int) -> list[Document]:
        """See Reads; raises StoreError, QueriesBusy, QueryTimedOut.

        The caller is freed when the time is over. The permit is not, before the store has answered.
        """
        left = self._left()
        ends = time.monotonic() + left
        await self._limiter.acquire(self._organization, left)
        began = time.monotonic()
        try:
            await self._check_client()
            with pymongo.timeout(min(self._store_seconds, max(0.01, ends - began))):
                answer = asyncio.ensure_future(query.limit(most).to_list(most))
        except BaseException:
            self._limiter.release(self._organization, 0)
            raise
        answer.add_done_callback(lambda done: self._answered(done, began))
        await asyncio.wait({answer}, timeout=ends - began)
        if not answer.done():
            raise timed_out(self.seconds)
        return list(answer.result())

    async def _check_client(self) -> None:
        """Raise once nobody waits for the answer any more."""

    def _left(self) -> float:
        return self.seconds

    def _answered(self, answer: "asyncio.Future[Any]", began: float) -> None:
        failed = answer.cancelled() or answer.exception() is not None
        # What found next to nothing was a matter of a millisecond, and a silence is crossed by many of these.
        dear = failed or len(answer.result()) > READ_COST
        self._limiter.release(self._organization, time.monotonic() - began if dear else 0)


class BudgetedReads(SharedReads):
    """Reads of one request: `documents` and `seconds` are all that it may use."""

    def __init__(
        self,
        limiter: ReadLimiter,
        organization: str,
        *,
        documents: int,
        seconds: float,
        store_seconds: float = 10.0,
        is_gone: Callable[[], Awaitable[bool]] | None = None,
    ) -> None:
        """`is_gone`: whether the client has left; then nothing more is read."""
        super().__init__(limiter, organization, seconds=seconds, store_seconds=store_seconds)
        self.documents, self._is_gone = documents, is_gone
        self._used = self._found = 0
        self._deadline = time.monotonic() + seconds

    @property
    def spent(self) -> bool:
        """Whether the documents are used up; each read counts as some, too."""
        return self._used >= self.documents

    @property
    def found_most(self) -> bool:
        """Whether as many documents were found: unlike `spent`, silence does not count."""
        return self._found >= self.documents

    @property
    def exhausted(self) -> bool:
        """Whether the documents or half of the time are used up: a short page is better than none."""
        return self.spent or time.monotonic() > self._deadline - self.seconds / 2

    async def rows(self, query: Query, most: int) -> list[Document]:
        """See SharedReads; counts what was read."""
        found = await super().rows(query, most)
        self._used += READ_COST + len(found)
        self._found += len(found)
        return found

    async def _check_client(self) -> None:
        if self._is_gone is not None and await self._is_gone():
            raise ClientGone("the client has left")

    def _left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise timed_out(self.seconds)
        return left


def timed_out(seconds: float) -> QueryTimedOut:
    """The error of a request whose time is over."""
    return QueryTimedOut(
        f"not answered within {seconds:g} s; ask for a shorter range or fewer metrics, or come again",
        details={"limit_seconds": seconds},
        retry_after=RETRY_AFTER_SECONDS,
    )
