from datetime import datetime

from monitoring_service.store.client import Document, Store
from monitoring_service.store.reads import PlainReads, Reads
from monitoring_service.watermark.models import Note

FLEET = "fleet"
MOST_WORKERS = 500


class WatermarkRepository:
    """What each worker notes, and the watermark of the fleet."""

    def __init__(self, store: Store, reads: Reads | None = None) -> None:
        self._collection, self._reads = store.watermarks, reads or PlainReads()

    async def write(self, note: Note) -> None:
        """Replace the note of a worker."""
        noted = {"watermark": note.watermark, "holds_until": note.holds_until}
        await self._collection.update_one({"_id": note.worker}, {"$set": noted}, upsert=True)

    async def notes(self) -> list[Note] | None:
        """The notes of all workers, None if there are too many to read."""
        rows = await self._reads.rows(self._collection.find({}), MOST_WORKERS)
        if len(rows) >= MOST_WORKERS:
            return None
        return [Note(row["_id"], row["watermark"], row["holds_until"]) for row in rows if row["_id"] != FLEET]

    async def forget_before(self, moment: datetime) -> None:
        """Delete the notes of workers that have been gone since then."""
        await self._collection.delete_many({"holds_until": {"$lt": moment}})

    async def forget(self, notes: list[Note]) -> None:
        """Delete the notes of workers that are gone."""
        await self._collection.delete_many({"_id": {"$in": [note.worker for note in notes]}})

    async def advance(self, watermark: datetime) -> None:
        """Move the watermark of the fleet forward, never back."""
        change: Document = {"$max": {"watermark": watermark}}
        await self._collection.update_one({"_id": FLEET}, change, upsert=True)

    async def of_fleet(self) -> datetime | None:
        """The watermark of the fleet, None before there was one."""
        rows = await self._reads.rows(self._collection.find({"_id": FLEET}), 1)
        return rows[0]["watermark"] if rows else None
