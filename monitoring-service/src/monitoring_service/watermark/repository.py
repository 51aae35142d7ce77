from datetime import datetime

from monitoring_service.store.client import Document, Store
from monitoring_service.store.reads import PlainReads, Reads
from monitoring_service.watermark.models import WorkerProgress

FLEET = "fleet"
MOST_WORKERS = 500


class WatermarkRepository:
    """The progress of each worker, and the watermark of the fleet."""

    def __init__(self, store: Store, reads: Reads | None = None) -> None:
        self._collection, self._reads = store.watermarks, reads or PlainReads()

    async def write(self, progress: WorkerProgress) -> None:
        """Replace the progress of a worker."""
        changed = {"watermark": progress.watermark, "holds_until": progress.holds_until}
        await self._collection.update_one({"_id": progress.id}, {"$set": changed}, upsert=True)

    async def workers(self) -> list[WorkerProgress] | None:
        """The progress of all workers, None if there are too many to read."""
        rows = await self._reads.rows(self._collection.find({}), MOST_WORKERS)
        if len(rows) >= MOST_WORKERS:
            return None
        of_workers = [row for row in rows if row["_id"] != FLEET]
        return [WorkerProgress(row["_id"], row["watermark"], row["holds_until"]) for row in of_workers]

    async def forget_before(self, moment: datetime) -> None:
        """Delete the progress of workers that have been gone since then."""
        await self._collection.delete_many({"holds_until": {"$lt": moment}})

    async def forget(self, workers: list[WorkerProgress]) -> None:
        """Delete the progress of workers that are gone."""
        await self._collection.delete_many({"_id": {"$in": [worker.id for worker in workers]}})

    async def advance(self, watermark: datetime) -> None:
        """Move the watermark of the fleet forward, never back."""
        change: Document = {"$max": {"watermark": watermark}}
        await self._collection.update_one({"_id": FLEET}, change, upsert=True)

    async def fleet_watermark(self) -> datetime | None:
        """The watermark of the fleet, None before there was one."""
        rows = await self._reads.rows(self._collection.find({"_id": FLEET}), 1)
        return rows[0]["watermark"] if rows else None
