"""Keeping the copy of device facts; newer versions win, whatever order they come in."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from fleet_contracts.events import DeviceData, DeviceStatusData
from fleet_kit.scope import Scope
from sim_service.devices.models import DeviceFacts
from sim_service.devices.repository import DeviceRepository
from sim_service.iccid import normalize


@dataclass(frozen=True, slots=True)
class Taken:
    """A device as it is now, and its word on its SIM before."""

    device: DeviceFacts
    iccid_before: str | None


class DeviceService:
    """Device facts as one organisation sees them."""

    def __init__(self, session: AsyncSession, scope: Scope) -> None:
        self._devices = DeviceRepository(session, scope)

    async def living(self, device_ids: Collection[UUID]) -> dict[UUID, DeviceFacts]:
        """Those of the devices that exist, locked for a link."""
        found = await self._devices.locked_all(device_ids)
        return {device.id: device for device in found if device.deleted_at is None}

    async def naming(self, iccids: Collection[str]) -> Sequence[DeviceFacts]:
        """Living devices that say they hold one of these SIMs, locked for a link."""
        return await self._devices.naming(iccids)

    async def take(self, data: DeviceData, organization_id: UUID) -> Taken | None:
        """Take a device's facts; None if something newer is known already."""
        fresh = DeviceFacts(
            id=data.id,
            organization_id=organization_id,
            name=data.name,
            iccid=_iccid(data.iccid),
            version=data.version,
        )
        inserted = await self._devices.insert(fresh)
        known = await self._devices.locked(data.id)
        if known is None or known.deleted_at is not None:
            return None
        if inserted:
            return Taken(known, None)
        if known.version >= data.version:
            return None
        before = known.iccid
        known.name, known.iccid, known.version = fresh.name, fresh.iccid, fresh.version
        return Taken(known, before)

    async def hear(self, data: DeviceStatusData, organization_id: UUID) -> None:
        """Note that a device came online or fell silent; of one moment, falling silent is the later news."""
        unnamed = DeviceFacts(id=data.id, organization_id=organization_id, name="", version=0)
        await self._devices.insert(unnamed)
        known = await self._devices.locked(data.id)
        if known is None or known.deleted_at is not None:
            return
        online, before = data.status == "online", known.last_seen_at
        if before is None or data.last_seen > before or (data.last_seen == before and not online):
            known.online, known.last_seen_at = online, data.last_seen

    async def one(self, device_id: UUID) -> DeviceFacts | None:
        """What is known of a device that exists."""
        return await self._devices.get(device_id)

    async def forget(self, device_id: UUID, organization_id: UUID, version: int) -> bool:
        """Mark a device as deleted; False if it was already."""
        mark = DeviceFacts(
            id=device_id,
            organization_id=organization_id,
            name="",
            version=version,
            deleted_at=datetime.now(UTC),
        )
        if await self._devices.insert(mark):
            return True
        known = await self._devices.locked(device_id)
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
