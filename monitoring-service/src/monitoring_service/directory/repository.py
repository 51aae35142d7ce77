from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from pymongo import UpdateOne

from fleet_kit.scope import Scope
from monitoring_service.directory.models import OPEN_ALERTS
from monitoring_service.store.client import Collection, Document, Store
from monitoring_service.store.reads import MOST_ROWS, Aggregation, PlainReads, Reads
from monitoring_service.store.scans import RangeScan
from monitoring_service.store.slots import SLOT
from monitoring_service.store.windows import whole

NAMED = 50
"""Documents asked for by name in one query."""


class DirectoryRepository:
    """Devices, SIMs and alerts inside one scope."""

    def __init__(self, store: Store, scope: Scope, reads: Reads | None = None) -> None:
        self._store, self._scope, self._reads = store, scope, reads or PlainReads()

    def _mine(self, query: Document) -> Document:
        organization = self._scope.organization_id
        return query if organization is None else {"organization_id": str(organization), **query}

    async def apply(
        self, devices: Sequence[UpdateOne], sims: Sequence[UpdateOne], alerts: Sequence[UpdateOne]
    ) -> None:
        """Write changes, in their order."""
        for collection, changes in (
            (self._store.devices, devices),
            (self._store.sims, sims),
            (self._store.alerts, alerts),
        ):
            if changes:
                await collection.bulk_write(list(changes), ordered=True)

    async def add_organizations(self, organizations: Iterable[str]) -> None:
        """Note organisations that have devices."""
        changes = [
            UpdateOne({"_id": name}, {"$setOnInsert": {"known": True}}, upsert=True) for name in organizations
        ]
        if changes:
            await self._store.organizations.bulk_write(changes, ordered=False)

    async def owners(self, device_ids: Iterable[str]) -> dict[str, str]:
        """Organisation by device, of devices that exist."""
        found = await self._named(self._store.devices, device_ids, {"organization_id": 1, "deleted": 1})
        return {
            row["_id"]: row["organization_id"]
            for row in found
            if not row["deleted"] and self._covers(row["organization_id"])
        }

    async def deleted(self, device_ids: Iterable[str]) -> set[str]:
        """Those of the devices that are known to have been deleted, whosever they were."""
        found = await self._named(self._store.devices, device_ids, {"deleted": 1})
        return {row["_id"] for row in found if row["deleted"]}

    async def sims(self, iccids: Iterable[str]) -> set[str]:
        """Those of the SIMs that exist in the scope."""
        found = await self._named(self._store.sims, iccids, {"organization_id": 1})
        return {row["_id"] for row in found if self._covers(row["organization_id"])}

    async def devices_with_sims(self, iccids: Iterable[str]) -> set[str]:
        """Devices that carry one of these SIMs."""
        found = await self._named(self._store.devices, iccids, {"organization_id": 1}, field="iccid")
        return {row["_id"] for row in found if self._covers(row["organization_id"])}

    async def in_slots(self, low: int, high: int) -> tuple[set[str], int]:
        """Devices of [low, high) that exist in the scope, and how many entries were read for that."""

        def find(slots: Any) -> Any:
            return self._store.devices.find(self._mine({"slot": slots}), {"deleted": 1, "slot": 1})

        scan, existing, number = RangeScan(self._reads, find, SLOT, whole(low, high)), set[str](), 0
        while (page := await scan.next()) is not None:
            existing |= {row["_id"] for row in page if not row["deleted"]}
            number += len(page)
        return existing, number

    async def count_open_alerts(self) -> int:
        """Alerts that are not cleared."""
        found = 0
        for state in OPEN_ALERTS:
            counted: list[Document] = [{"$match": self._mine({"state": state})}, {"$count": "number"}]
            for row in await self._reads.rows(Aggregation(self._store.alerts, counted), 1):
                found += int(row["number"])
        return found

    async def organizations(self) -> list[str]:
        """The scope's organisation, or every one that has ever had a device."""
        if self._scope.organization_id is not None:
            return [str(self._scope.organization_id)]
        found, last = list[str](), ""
        while True:
            query = self._store.organizations.find({"_id": {"$gt": last}}).sort("_id", 1)
            rows = await self._reads.rows(query, MOST_ROWS)
            found += [row["_id"] for row in rows]
            if len(rows) < MOST_ROWS:
                return found
            last = found[-1]

    async def organizations_of_devices(self) -> list[str]:
        """Every one that has ever had a device, from the devices themselves: reads all of them."""
        return list(await self._store.devices.distinct("organization_id"))

    async def deleted_before(self, moment: datetime, limit: int) -> list[str]:
        """Devices that were deleted before a moment."""
        old = {"deleted": True, "changed_at": {"$lt": moment}}
        return [row["_id"] async for row in self._store.devices.find(old, {"_id": 1}).limit(limit)]

    async def forget(self, device_ids: Sequence[str]) -> None:
        """Delete the entries of deleted devices."""
        await self._store.devices.delete_many({"_id": {"$in": list(device_ids)}, "deleted": True})

    async def _named(
        self, collection: Collection, names: Iterable[str], fields: Document, *, field: str = "_id"
    ) -> list[Document]:
        """Documents by a list of values, a few at a time: a query costs the square of its length."""
        rows, wanted = list[Document](), list(names)
        for start in range(0, len(wanted), NAMED):
            query = {field: {"$in": wanted[start : start + NAMED]}}
            rows += await self._reads.rows(collection.find(query, fields), MOST_ROWS)
        return rows

    def _covers(self, organization_id: str) -> bool:
        return self._scope.organization_id is None or str(self._scope.organization_id) == organization_id
