"""Deleting readings that are too old."""

import time
from datetime import timedelta

from monitoring_service.readings.repository import ReadingRepository
from monitoring_service.store.client import Store
from monitoring_service.store.counts import HOUR


class Retention:
    """A job of the worker: deletes readings that are too old, hour by hour."""

    def __init__(self, store: Store, retention: timedelta) -> None:
        self._store, self._readings, self._retention = store, ReadingRepository(store), retention

    async def sweep(self) -> int:
        """Delete what was stored before the retention time; how many readings that were."""
        oldest = int((time.time() - self._retention.total_seconds()) // 3600)
        deleted = 0
        for hour in await self._store.hourly.find({"hour": {"$lt": oldest}}).to_list(None):
            first = int(hour["hour"]) * 60
            minutes = {first + int(offset): int(n) for offset, n in hour["minutes"].items()}
            end = oldest * HOUR
            deleted += await self._readings.delete_minutes(hour["organization_id"], minutes, end)
            await self._store.hourly.delete_one({"_id": hour["_id"]})
        return deleted
