from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

from fleet_kit.scope import EVERYTHING, Scope
from monitoring_service.rejected.counts import FIELDS, Minute, RejectedCounts, minute_of
from monitoring_service.rejected.metrics import REJECTED
from monitoring_service.rejected.models import RejectedMessage
from monitoring_service.rejected.repository import RECEIVED, RejectedRepository
from monitoring_service.store.client import Document, Store, StoreError
from monitoring_service.store.inserts import StoreUnavailable
from monitoring_service.store.reads import Reads
from monitoring_service.store.scans import Position

_COUNT_TOGETHER = 1000
_COUNTED = "rejected counted"


class RejectedQueries:
    """What one may read of the rejected messages."""

    def __init__(self, store: Store, scope: Scope, retention: timedelta, reads: Reads) -> None:
        self._repository = RejectedRepository(store, scope, retention, reads)

    async def page(
        self, device_id: str | None, before: Position | None, size: int
    ) -> tuple[list[Document], Position | None]:
        """The newest ones from before that position on, and the next position if there may be more.

        One request reads a bounded number, so a page may be short, even empty, and still have a next one.
        """
        found = await self._repository.page(device_id, before, size + 1)
        shown = found.rows[:size]
        if len(found.rows) > size:
            return shown, RECEIVED.position(shown[-1])
        return shown, found.rest

    async def count(self) -> int:
        """How many there are; a few more where many are."""
        return await self._repository.count()


class RejectedMessageService:
    """Where consumers put what cannot be stored."""

    def __init__(self, store: Store, retention: timedelta) -> None:
        self._repository = RejectedRepository(store, EVERYTHING, retention)

    async def add(self, messages: Sequence[RejectedMessage]) -> None:
        """Keep them with their reasons; raises StoreUnavailable."""
        if not messages:
            return
        try:
            await self._repository.add([message.document() for message in messages])
        except StoreError as error:
            raise StoreUnavailable(type(error).__name__) from error
        for message in messages:
            REJECTED.labels(message.code).inc()


async def count_existing(store: Store) -> None:
    """Count what an earlier version stored without counting it, until that was done once. Raises StoreError.

    By minute and as absolute figures: whatever was counted before a crash, or is counted meanwhile, stays.
    """
    if await store.migrations.find_one({"_id": _COUNTED}) is not None:
        return
    counts, waiting, newest = RejectedCounts(store), Counter[Minute](), 0
    async for document in store.rejected.find({}, FIELDS).sort("received_at", 1):
        minute = minute_of(document)
        if len(waiting) >= _COUNT_TOGETHER and minute[1] > newest:
            await counts.at_least(waiting)
            waiting.clear()
        waiting[minute] += 1
        newest = minute[1]
    await counts.at_least(waiting)
    await store.migrations.replace_one({"_id": _COUNTED}, {"_id": _COUNTED}, upsert=True)
