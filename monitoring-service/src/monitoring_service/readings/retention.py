"""Deleting readings that are too old."""

import time
from datetime import timedelta

import structlog

from monitoring_service.readings.repository import ReadingRepository
from monitoring_service.store.client import Document, Store, StoreError
from monitoring_service.store.counts import HOUR
from monitoring_service.store.indexes import HOURLY_BY_HOUR
from monitoring_service.store.reads import MOST_ROWS, PlainReads

log = structlog.get_logger(__name__)


class Retention:
    """A job of the worker: deletes readings that are too old, hour by hour."""

    def __init__(self, store: Store, retention: timedelta) -> None:
        self._store, self._readings, self._retention = store, ReadingRepository(store), retention

    async def sweep(self) -> int:
        """Delete what was stored before the retention time; how many readings that were.

        An hour that fails does not hold the others; raises its StoreError at the end.
        """
        oldest = int((time.time() - self._retention.total_seconds()) // 3600)
        deleted, failure = 0, None
        at, failed = 0, 0
        while rows := await self._expired(at, oldest, skip=failed):
            for row in rows:
                if row["hour"] != at:
                    at, failed = int(row["hour"]), 0
                try:
                    deleted += await self._delete(row, oldest * HOUR)
                except StoreError as error:
                    await self._store.check()  # raises where it is not this hour's fault
                    log.error("an hour could not be deleted", hour=row["_id"], error=repr(error))
                    failure, failed = error, failed + 1
        if failure is not None:
            raise failure
        return deleted

    async def _expired(self, at: int, oldest: int, *, skip: int) -> list[Document]:
        """Counted hours from `at` to before `oldest` in their order; `skip`: how many of `at` have failed."""
        found = self._store.hourly.find({"hour": {"$gte": at, "$lt": oldest}}).sort(HOURLY_BY_HOUR)
        # What was deleted is not found again: only what failed lies before what is still to be done.
        return await PlainReads().rows(found.skip(skip), MOST_ROWS)

    async def _delete(self, hour: Document, end: int) -> int:
        first = int(hour["hour"]) * 60
        minutes = {first + int(offset): int(n) for offset, n in hour["minutes"].items()}
        deleted = await self._readings.delete_minutes(hour["organization_id"], minutes, end)
        await self._store.hourly.delete_one({"_id": hour["_id"]})
        return deleted
