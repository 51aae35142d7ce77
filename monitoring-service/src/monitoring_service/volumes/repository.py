from collections.abc import AsyncIterator
from datetime import datetime, timedelta

from monitoring_service.store.client import Document, Store

METRIC = "data_bytes"
"""The metric in which a device says how many bytes it moved since its reading before."""
_HOUR = timedelta(hours=1)


class VolumeRepository:
    """Sums over readings of devices that are known to exist."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def bytes_in_hour(self, device_id: str, hour: datetime) -> int:
        """What all stored readings of the hour add up to; negative ones count as nothing."""
        query: Document = {"device_id": device_id, "ts": {"$gte": hour, "$lt": hour + _HOUR}}
        counted: Document = {"$sum": {"$max": [0, f"$metrics.{METRIC}"]}}
        pipeline: list[Document] = [{"$match": query}, {"$group": {"_id": None, "bytes": counted}}]
        rows = await self._store.readings.aggregate(pipeline).to_list(1)
        return round(rows[0]["bytes"]) if rows else 0

    async def measured_since(self, moment: datetime) -> AsyncIterator[Document]:
        """The newest reading of each device that was measured since."""
        async for document in self._store.latest.find({}):
            if document["ts"] >= moment:
                yield document
