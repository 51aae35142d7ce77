from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from fleet_kit.scope import Scope
from monitoring_service.latest.models import replace_if_newer
from monitoring_service.store.client import Document, Store


class LatestRepository:
    """The newest reading of each device in one scope."""

    def __init__(self, store: Store, scope: Scope) -> None:
        self._collection, self._scope = store.latest, scope

    async def apply(self, readings: Iterable[Document]) -> None:
        """Take over those that are newer."""
        await self._collection.bulk_write([replace_if_newer(reading) for reading in readings], ordered=False)

    async def page(self, devices: Sequence[str] | None, after: str | None, limit: int) -> list[Document]:
        """In the order of device ids, after that one."""
        if devices is not None:
            wanted = sorted(device for device in set(devices) if after is None or device > after)
            rows = await self._collection.find({"_id": {"$in": wanted}}).sort("_id", 1).to_list(None)
            return [row for row in rows if self._scope.covers(UUID(row["organization_id"]))][:limit]
        query = self._mine()
        if after is not None:
            query["_id"] = {"$gt": after}
        return await self._collection.find(query).sort("_id", 1).limit(limit).to_list(limit)

    async def newest(self, device_id: str) -> Document | None:
        """The newest reading of one device, None if it has none."""
        row: Document | None = await self._collection.find_one({"_id": device_id})
        return row if row is not None and self._scope.covers(UUID(row["organization_id"])) else None

    async def received_since(self, moment: datetime) -> list[str]:
        """Devices whose newest reading arrived after that moment."""
        found = self._collection.find(self._mine(), {"received_at": 1})
        return [row["_id"] async for row in found if row["received_at"] > moment]

    def _mine(self) -> Document:
        organization = self._scope.organization_id
        return {} if organization is None else {"organization_id": str(organization)}
