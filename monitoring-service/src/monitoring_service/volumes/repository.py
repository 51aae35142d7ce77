"""Devices' own count of their traffic, published by the hour for sim-service."""

from datetime import datetime, timedelta

from fleet_contracts.events import MAX_VOLUME_BYTES
from monitoring_service.store.client import Document, Store

METRIC = "data_bytes"
"""The metric in which a device says how many bytes it moved since its reading before."""
_HOUR = timedelta(hours=1)
_FIGURE = f"$metrics.{METRIC}"


class VolumeRepository:
    """Sums over readings of devices that are known to exist."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def bytes_in_hour(self, device_id: str, hour: datetime) -> int | None:
        """What all stored readings of the hour add up to, None where none has the metric.

        Negative figures count as nothing. No figure and no sum is more than the contract allows: a device may
        report any number.
        """
        query: Document = {"device_id": device_id, "ts": {"$gte": hour, "$lt": hour + _HOUR}}
        bounded: Document = {"$min": [float(MAX_VOLUME_BYTES), {"$max": [0, _FIGURE]}]}
        # As floats: a sum of whole numbers could leave the 64 bits that the store knows.
        sums: Document = {"bytes": {"$sum": {"$multiply": [1.0, bounded]}}, "largest": {"$max": _FIGURE}}
        pipeline: list[Document] = [{"$match": query}, {"$group": {"_id": None, **sums}}]
        rows = await self._store.readings.aggregate(pipeline).to_list(1)
        if not rows or rows[0]["largest"] is None:
            return None
        return round(min(float(rows[0]["bytes"]), float(MAX_VOLUME_BYTES)))
