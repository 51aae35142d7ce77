"""Events of device-service: keep the copy of its facts, follow what devices say of their SIMs and when."""

from fleet_contracts.events import (
    DeviceDeleted,
    DeviceRegistered,
    DeviceStatusChanged,
    DeviceUpdated,
    FleetEvent,
)
from fleet_kit.database import Sessions
from fleet_kit.event_handlers import hold_while_unavailable
from fleet_kit.scope import Scope
from sim_service.inventory.devices.service import DeviceService
from sim_service.inventory.links.service import LinkService


class DeviceEvents:
    """Handles one event in one transaction; a repeated or older event changes nothing."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def handle(self, event: FleetEvent) -> None:
        with hold_while_unavailable():
            if isinstance(event, DeviceRegistered | DeviceUpdated):
                await self._changed(event)
            elif isinstance(event, DeviceDeleted):
                await self._deleted(event)
            elif isinstance(event, DeviceStatusChanged):
                await self._status_changed(event)

    async def _changed(self, event: DeviceRegistered | DeviceUpdated) -> None:
        async with self._sessions.begin() as session:
            updated = await DeviceService(session, Scope(event.owner)).update(event.data, event.owner)
            if updated is not None:
                await LinkService(session, Scope(event.owner)).apply_device_report(
                    updated.device, updated.iccid_before
                )

    async def _status_changed(self, event: DeviceStatusChanged) -> None:
        async with self._sessions.begin() as session:
            await DeviceService(session, Scope(event.owner)).update_status(event.data, event.owner)

    async def _deleted(self, event: DeviceDeleted) -> None:
        gone = event.data
        async with self._sessions.begin() as session:
            if await DeviceService(session, Scope(event.owner)).forget(gone.id, event.owner, gone.version):
                await LinkService(session, Scope(event.owner)).device_deleted(gone.id)
