from collections.abc import Mapping
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from device_service.devices.changes import Caches, Changes
from device_service.devices.models import Device
from device_service.sim_links.repository import SimLinkRepository
from fleet_kit.database import Sessions
from fleet_kit.scope import Scope

Links = Mapping[tuple[UUID, str], UUID | None]
"""The device that holds a SIM, by (organisation, ICCID); None: the SIM is in no device."""


class SimLinkService:
    """Lets devices follow the links that sim-service keeps.

    No `device.updated` is published for it: `sim.updated` already did, and if each service announced what
    it took over from the other, two opposite changes could chase each other for ever.
    """

    def __init__(self, sessions: Sessions, caches: Caches) -> None:
        self._sessions, self._caches = sessions, caches

    async def apply(self, links: Links) -> None:
        """Take over links. Repeated ones change nothing."""
        if not links:
            return
        changes = Changes()
        async with self._sessions.begin() as session:
            for (organization_id, iccid), device_id in sorted(links.items(), key=lambda item: item[0]):
                for device in await _follow(session, organization_id, iccid, device_id):
                    changes.device(device)
        await self._caches.invalidate(changes)


async def _follow(
    session: AsyncSession, organization_id: UUID, iccid: str, device_id: UUID | None
) -> list[Device]:
    """The devices that changed."""
    touched = await SimLinkRepository(session, Scope(organization_id)).touched(iccid, device_id)
    others = [device for device in touched if device.id != device_id and device.apply({"iccid": None})]
    # Out first: no two devices of an organisation may name the same SIM.
    await session.flush()
    holder = [device for device in touched if device.id == device_id and device.apply({"iccid": iccid})]
    await session.flush()
    return others + holder
