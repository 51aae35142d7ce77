"""Keeping the copy of device facts; newer versions win, whatever order they come in."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from fleet_contracts.events import DeviceData, DeviceStatusData
from sim_service.inventory.devices.models import DeviceFacts
from sim_service.inventory.devices.repository import DeviceRepository
from sim_service.platform.iccid import normalize


@dataclass(frozen=True, slots=True)
class UpdatedDevice:
    """A device as it is now, and the SIM that it reported before."""

    device: DeviceFacts
    iccid_before: str | None


class DeviceService(DeviceRepository):
    async def existing(self, device_ids: Collection[UUID]) -> dict[UUID, DeviceFacts]:
        """Those of the devices that exist, locked for a link."""
        found = await self.locked_all(device_ids)
        return {device.id: device for device in found if device.deleted_at is None}

    async def update(self, data: DeviceData, organization_id: UUID) -> UpdatedDevice | None:
        """Take a device's facts; None if something newer is known already."""
        fresh = DeviceFacts(
            id=data.id,
            organization_id=organization_id,
            name=data.name,
            iccid=_iccid(data.iccid),
            version=data.version,
        )
        inserted = await self.insert(fresh)
        known = await self.locked(data.id)
        if known is None or known.deleted_at is not None:
            return None
        if inserted:
            return UpdatedDevice(known, None)
        if known.version >= data.version:
            return None
        before = known.iccid
        known.name, known.iccid, known.version = fresh.name, fresh.iccid, fresh.version
        return UpdatedDevice(known, before)

    async def update_status(self, data: DeviceStatusData, organization_id: UUID) -> None:
        """Note that a device went online or offline; of the same moment, offline counts as the later one."""
        unnamed = DeviceFacts(id=data.id, organization_id=organization_id, name="", version=0)
        await self.insert(unnamed)
        known = await self.locked(data.id)
        if known is None or known.deleted_at is not None:
            return
        online, before = data.status == "online", known.last_seen_at
        if before is None or data.last_seen > before or (data.last_seen == before and not online):
            known.online, known.last_seen_at = online, data.last_seen

    async def forget(self, device_id: UUID, organization_id: UUID, version: int) -> bool:
        """Mark a device as deleted; False if it was already."""
        mark = DeviceFacts(
            id=device_id,
            organization_id=organization_id,
            name="",
            version=version,
            deleted_at=datetime.now(UTC),
        )
        if await self.insert(mark):
            return True
        known = await self.locked(device_id)
        if known is None or known.deleted_at is not None:
            return False
        known.deleted_at, known.version, known.iccid = datetime.now(UTC), max(version, known.version), None
        return True


def _iccid(value: str | None) -> str | None:
    """The ICCID without check digit; what is none is kept as it came, and matches no SIM."""
    try:
        return normalize(value) if value else None
    except ValueError:
        return value[:40] if value else None
