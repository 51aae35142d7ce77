from collections.abc import Iterable, Sequence

from pymongo import UpdateOne

from fleet_kit.scope import Scope
from monitoring_service.directory.models import OPEN_ALERTS
from monitoring_service.store.client import Document, Store


class DirectoryRepository:
    """Devices, SIMs and alerts inside one scope."""

    def __init__(self, store: Store, scope: Scope) -> None:
        self._store, self._scope = store, scope

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

    async def owners(self, device_ids: Iterable[str]) -> dict[str, str]:
        """Organisation by device, of devices that exist."""
        found = self._store.devices.find(
            {"_id": {"$in": list(device_ids)}}, {"organization_id": 1, "deleted": 1}
        )
        return {
            row["_id"]: row["organization_id"]
            async for row in found
            if not row["deleted"] and self._covers(row["organization_id"])
        }

    async def sims(self, iccids: Iterable[str]) -> set[str]:
        """Those of the SIMs that exist in the scope."""
        found = self._store.sims.find({"_id": {"$in": list(iccids)}}, {"organization_id": 1})
        return {row["_id"] async for row in found if self._covers(row["organization_id"])}

    async def devices_with_sims(self, iccids: Iterable[str]) -> set[str]:
        """Devices that carry one of these SIMs."""
        found = self._store.devices.find({"iccid": {"$in": list(iccids)}}, {"organization_id": 1})
        return {row["_id"] async for row in found if self._covers(row["organization_id"])}

    async def count_devices(self) -> int:
        """Devices that exist in the scope."""
        return await self._store.devices.count_documents(self._mine({"deleted": False}))

    async def count_open_alerts(self) -> int:
        """Alerts that are not cleared."""
        return await self._store.alerts.count_documents(self._mine({"state": {"$in": OPEN_ALERTS}}))

    async def organizations(self) -> list[str]:
        """The scope's organisation, or every one that has ever had a device."""
        if self._scope.organization_id is not None:
            return [str(self._scope.organization_id)]
        return sorted(await self._store.devices.distinct("organization_id"))

    def _covers(self, organization_id: str) -> bool:
        return self._scope.organization_id is None or str(self._scope.organization_id) == organization_id
