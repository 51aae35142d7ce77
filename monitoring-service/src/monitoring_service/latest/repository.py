"""Queries on latest readings."""

from collections.abc import Iterable, Sequence
from datetime import datetime

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
        query = self._mine()
        if devices is not None:
            query["$and"] = [{"_id": {"$in": list(devices)}}]
        if after is not None:
            query["_id"] = {"$gt": after}
        return await self._collection.find(query).sort("_id", 1).limit(limit).to_list(limit)

    async def heard_since(self, moment: datetime) -> int:
        """Devices whose newest reading arrived after that moment."""
        return int(await self._collection.count_documents({**self._mine(), "received_at": {"$gt": moment}}))

    def _mine(self) -> Document:
        organization = self._scope.organization_id
        return {} if organization is None else {"organization_id": str(organization)}
