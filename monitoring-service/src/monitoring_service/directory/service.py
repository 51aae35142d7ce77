"""What an event changes in the directory, and whether something exists for whoever asks."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from pymongo import UpdateOne

from fleet_contracts.events import AlertData, DeviceData, DeviceRef, FleetEvent, SimData
from fleet_kit.errors import NotFound
from fleet_kit.scope import EVERYTHING, Scope
from monitoring_service.directory.models import (
    ALERT_STATES,
    alert_document,
    deleted_document,
    device_document,
    replace_if_newer,
    sim_document,
)
from monitoring_service.directory.repository import NAMED, DirectoryRepository
from monitoring_service.store.client import Store
from monitoring_service.store.reads import Reads


class DirectoryService:
    """The directory as one scope sees it."""

    def __init__(self, store: Store, scope: Scope, reads: Reads | None = None) -> None:
        self._repository = DirectoryRepository(store, scope, reads)
        self._organizations: set[str] = set()

    async def apply_events(self, events: Sequence[FleetEvent]) -> list[str]:
        """Apply events, in any order and any number of times; the devices that they were about."""
        devices: list[UpdateOne] = []
        sims: list[UpdateOne] = []
        alerts: list[UpdateOne] = []
        touched = []
        for event in events:
            data = event.data
            if isinstance(data, DeviceData):
                devices.append(replace_if_newer(str(data.id), device_document(event, data)))
                touched.append(str(data.id))
            elif isinstance(data, DeviceRef):
                devices.append(replace_if_newer(str(data.id), deleted_document(event, data)))
                touched.append(str(data.id))
            elif isinstance(data, SimData):
                sims.append(replace_if_newer(data.iccid, sim_document(event, data)))
            elif isinstance(data, AlertData) and event.type in ALERT_STATES:
                alerts.append(replace_if_newer(str(data.id), alert_document(event, data)))
        await self._note_organizations({str(event.organizationid) for event in events} if devices else set())
        await self._repository.apply(devices, sims, alerts)
        return touched

    async def _note_organizations(self, organizations: set[str]) -> None:
        new = organizations - self._organizations
        await self._repository.add_organizations(new)
        self._organizations |= new

    async def require_device(self, device_id: str) -> str:
        """The organisation of the device; raises NotFound."""
        owners = await self._repository.owners([device_id])
        if device_id not in owners:
            raise NotFound("no such device", code="DEVICE_NOT_FOUND", details={"device_id": device_id})
        return owners[device_id]

    async def require_devices(self, device_ids: Sequence[str]) -> None:
        """Raise NotFound unless all of them exist."""
        owners = await self._repository.owners(device_ids)
        for device in device_ids:
            if device not in owners:
                raise NotFound("no such device", code="DEVICE_NOT_FOUND", details={"device_id": device})

    async def deleted(self, device_ids: Iterable[str]) -> set[str]:
        """Those of the devices that are known to have been deleted; raises StoreError."""
        return await self._repository.deleted(device_ids)

    async def owners(self, device_ids: Iterable[str]) -> dict[str, str]:
        """Organisation by device, of devices that exist."""
        return await self._repository.owners(device_ids)

    async def existing(self, device_ids: Iterable[str]) -> set[str]:
        """Those of the devices that exist."""
        return set(await self._repository.owners(device_ids))

    async def require_sims(self, iccids: Sequence[str]) -> None:
        """Raise NotFound unless all of them exist."""
        known = await self._repository.sims(iccids)
        for iccid in iccids:
            if iccid not in known:
                raise NotFound("no such SIM", code="SIM_NOT_FOUND", details={"iccid": iccid})

    async def devices_with_sims(self, iccids: Iterable[str]) -> set[str]:
        """Devices that carry one of these SIMs."""
        return await self._repository.devices_with_sims(iccids)

    async def deleted_before(self, moment: datetime) -> list[str]:
        """Some devices that were deleted before a moment; none when all are forgotten."""
        return await self._repository.deleted_before(moment, NAMED)

    async def forget(self, device_ids: Sequence[str]) -> None:
        """Forget deleted devices."""
        await self._repository.forget(device_ids)

    async def organizations(self) -> list[str]:
        """Organisations that the scope covers."""
        return await self._repository.organizations()

    async def in_slots(self, low: int, high: int) -> tuple[set[str], int]:
        """Devices of [low, high) that exist, and how many entries were read for that."""
        return await self._repository.in_slots(low, high)

    async def count_open_alerts(self) -> int:
        """Alerts that are not cleared."""
        return await self._repository.count_open_alerts()


async def list_organizations(store: Store) -> None:
    """Note the organisations of an earlier version's devices. Raises StoreError."""
    repository = DirectoryRepository(store, EVERYTHING)
    if not await repository.organizations():
        await repository.add_organizations(await repository.organizations_of_devices())
