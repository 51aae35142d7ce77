"""The rules of links: a SIM is in at most one device, a device has at most one SIM, both of one owner.

Every path locks devices before SIMs, and SIMs in the order of their ICCIDs, so that none waits for another
in a circle.
"""

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.errors import Conflict, NotFound
from fleet_kit.scope import Scope
from sim_service.inventory.devices.models import DeviceFacts
from sim_service.inventory.devices.service import DeviceService
from sim_service.inventory.sims.models import Sim
from sim_service.inventory.sims.service import SimService, owner_of


class LinkService:
    def __init__(self, session: AsyncSession, scope: Scope) -> None:
        self._session, self._scope = session, scope
        self._sims = SimService(session, scope)

    async def put(self, iccid: str, device_id: UUID) -> Sim:
        """Put the SIM into a device of its owner, taking it out of another if need be."""
        sim, devices = await self._locked(iccid, device_id)
        if (device := devices.get(device_id)) is None or device.organization_id != owner_of(sim):
            raise NotFound("no such device", code="DEVICE_NOT_FOUND", details={"device_id": str(device_id)})
        other = await self._sims.in_device(device_id)
        if other is not None and other.iccid != iccid:
            raise Conflict(
                "the device already has a SIM", code="DEVICE_HAS_SIM", details={"iccid": other.iccid}
            )
        await self._change(sim, device_id, devices)
        return sim

    async def unlink(self, iccid: str) -> None:
        """Take the SIM out of its device; without one nothing happens."""
        sim, devices = await self._locked(iccid)
        await self._change(sim, None, devices)

    async def unlink_all(self, iccids: Sequence[str]) -> Sequence[Sim]:
        """Take SIMs out of their devices; those that exist in scope, locked. Raises Conflict."""
        present = {sim.device_id for sim in await self._sims.some(iccids)} - {None}
        devices = await DeviceService(self._session, self._scope).existing([one for one in present if one])
        sims = await self._sims.locked(iccids)
        for sim in sims:
            if sim.device_id not in {None, *present}:
                raise Conflict(
                    "a SIM was put into a device just now", code="SIM_CHANGED", details={"iccid": sim.iccid}
                )
            await self._change(sim, None, devices)
        return sims

    async def apply_device_report(self, device: DeviceFacts, before: str | None) -> None:
        """A device reports another SIM: link it where the SIM is free, else correct the device."""
        device_id, after = device.id, device.iccid
        if before == after:
            return
        present = await self._sims.in_device(device_id)
        touched = {iccid for iccid in (after, present.iccid if present else None) if iccid is not None}
        sims = {sim.iccid: sim for sim in await self._sims.locked(sorted(touched))}
        for sim in sims.values():
            if sim.iccid != after and sim.device_id == device_id:
                await self._change(sim, None)
        sim_named = sims.get(after) if after is not None else None
        if sim_named is not None and sim_named.device_id is None:
            await self._change(sim_named, device_id)
        elif sim_named is not None and sim_named.device_id != device_id:
            device.iccid = None
            await self._sims.publish_updated(sim_named)

    async def device_deleted(self, device_id: UUID) -> None:
        if (sim := await self._sims.in_device(device_id)) is not None:
            await self._change(await self._sims.get(sim.iccid, for_update=True), None)

    async def link_claimed(self, sims: Sequence[Sim], devices: Sequence[DeviceFacts]) -> None:
        """Link SIMs that were just claimed to devices of their owner that already named them."""
        by_iccid = {sim.iccid: sim for sim in sims}
        for device in devices:
            sim = by_iccid.get(device.iccid or "")
            if sim is None or sim.device_id is not None or device.organization_id != sim.organization_id:
                continue
            if await self._sims.in_device(device.id) is None:
                sim.link(device.id)
                await self._session.flush()

    async def _locked(self, iccid: str, *device_ids: UUID) -> tuple[Sim, dict[UUID, DeviceFacts]]:
        """The SIM and the devices that a change touches, its present one included."""
        present = (await self._sims.get(iccid)).device_id
        wanted = {*device_ids, present} - {None}
        devices = await DeviceService(self._session, self._scope).existing([one for one in wanted if one])
        sim = await self._sims.get(iccid, for_update=True)
        if sim.device_id not in {None, present, *device_ids}:
            raise Conflict("the SIM was put into another device just now", code="SIM_CHANGED")
        return sim, devices

    async def _change(
        self, sim: Sim, device_id: UUID | None, devices: Mapping[UUID, DeviceFacts] | None = None
    ) -> None:
        """Change the link; devices will report it in time, so what they report is set already."""
        before = sim.device_id
        if not sim.link(device_id):
            return
        for known, iccid in ((before, None), (device_id, sim.iccid)):
            if known is not None and devices is not None and known in devices:
                devices[known].iccid = iccid
        await self._sims.publish_updated(sim)
