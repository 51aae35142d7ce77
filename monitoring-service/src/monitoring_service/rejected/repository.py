from collections.abc import Sequence
from datetime import datetime

from fleet_kit.scope import Scope
from monitoring_service.store.client import Document, Store
from monitoring_service.store.inserts import insert_once

_SCAN = 500
"""Entries that are looked at together."""


class RejectedRepository:
    """Rejected messages of one scope. Those without an organisation are for the platform administrator."""

    def __init__(self, store: Store, scope: Scope) -> None:
        self._collection, self._scope = store.rejected, scope

    async def add(self, documents: Sequence[Document]) -> None:
        """Store them once; raises StoreUnavailable."""
        await insert_once(self._collection, documents)

    async def page(
        self, device_id: str | None, before: tuple[datetime, str] | None, limit: int
    ) -> list[Document]:
        """The newest ones, from before that position on."""
        rows: list[Document] = []
        while len(rows) < limit:
            page = await self._stored_before(before, _SCAN)
            for row in page:
                before = row["received_at"], row["_id"]
                if device_id in {None, row["device_id"]}:
                    rows.append(row)
            if len(page) < _SCAN:
                break
        return rows[:limit]

    async def _stored_before(self, position: tuple[datetime, str] | None, limit: int) -> list[Document]:
        """One or two queries that name nothing but the fields of the index; see readings/repository.py."""
        newest_first = [("received_at", -1), ("_id", -1)]
        if position is None:
            return await self._collection.find(self._mine()).sort(newest_first).limit(limit).to_list(None)
        moment, key = position
        same = await self._collection.find({**self._mine(), "received_at": moment}).to_list(None)
        rows = sorted((row for row in same if row["_id"] < key), key=_key, reverse=True)
        older = {**self._mine(), "received_at": {"$lt": moment}}
        rows += await self._collection.find(older).sort(newest_first).limit(limit).to_list(None)
        return rows[:limit]

    async def count(self) -> int:
        """How many there are."""
        return int(await self._collection.count_documents(self._mine()))

    def _mine(self) -> Document:
        organization = self._scope.organization_id
        return {} if organization is None else {"organization_id": str(organization)}


def _key(row: Document) -> str:
    return str(row["_id"])
