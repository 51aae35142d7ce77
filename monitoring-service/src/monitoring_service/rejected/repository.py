"""Queries on rejected messages."""

from collections.abc import Sequence
from datetime import datetime

from fleet_kit.scope import Scope
from monitoring_service.store.client import Document, Store
from monitoring_service.store.writing import insert_once


class RejectedRepository:
    """Rejected messages of one scope. Those without an organisation are for the platform administrator."""

    def __init__(self, store: Store, scope: Scope) -> None:
        self._collection, self._scope = store.rejected, scope

    async def add(self, documents: Sequence[Document]) -> None:
        """Store them once; raises StoreAway."""
        await insert_once(self._collection, documents)

    async def page(
        self, device_id: str | None, before: tuple[datetime, str] | None, limit: int
    ) -> list[Document]:
        """The newest ones, from before that position on."""
        query: Document = {} if self._scope.organization_id is None else self._mine()
        if device_id is not None:
            query["device_id"] = device_id
        if before is not None:
            moment, key = before
            older = {"received_at": moment, "_id": {"$lt": key}}
            query["$or"] = [{"received_at": {"$lt": moment}}, older]
        found = self._collection.find(query).sort([("received_at", -1), ("_id", -1)]).limit(limit)
        return await found.to_list(limit)

    async def count(self) -> int:
        """How many there are."""
        query: Document = {} if self._scope.organization_id is None else self._mine()
        return int(await self._collection.count_documents(query))

    def _mine(self) -> Document:
        return {"organization_id": str(self._scope.organization_id)}
