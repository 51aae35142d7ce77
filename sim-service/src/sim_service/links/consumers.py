"""Events of device-service: keep the copy of its facts, follow what devices say of their SIMs and when."""

from uuid import UUID

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from fleet_contracts.events import (
    DeviceDeleted,
    DeviceRegistered,
    DeviceStatusChanged,
    DeviceUpdated,
    FleetEvent,
)
from fleet_kit.consumer import Pause
from fleet_kit.database import Sessions
from fleet_kit.delivery import RejectNow
from fleet_kit.scope import Scope
from sim_service.devices.service import DeviceService
from sim_service.links.service import LinkService

_AWAY = (InterfaceError, OperationalError, PoolTimeout, OSError, TimeoutError)


class DeviceEvents:
    """Handles one event in one transaction; a repeated or older event changes nothing."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def handle(self, event: FleetEvent) -> None:
        """See fleet_kit.event_handlers.each_event."""
        try:
            if isinstance(event, DeviceRegistered | DeviceUpdated):
                await self._changed(event, _owner(event))
            elif isinstance(event, DeviceDeleted):
                await self._deleted(event, _owner(event))
            elif isinstance(event, DeviceStatusChanged):
                await self._heard(event, _owner(event))
        except _AWAY as error:
            raise Pause(f"the database is away: {type(error).__name__}") from error
        except DBAPIError as error:
            if error.connection_invalidated:
                raise Pause("the database went away") from error
            raise

    async def _changed(self, event: DeviceRegistered | DeviceUpdated, owner: UUID) -> None:
        async with self._sessions.begin() as session:
            taken = await DeviceService(session, Scope(owner)).take(event.data, owner)
            if taken is not None:
                await LinkService(session, Scope(owner)).follow(taken.device, taken.iccid_before)

    async def _heard(self, event: DeviceStatusChanged, owner: UUID) -> None:
        async with self._sessions.begin() as session:
            await DeviceService(session, Scope(owner)).hear(event.data, owner)

    async def _deleted(self, event: DeviceDeleted, owner: UUID) -> None:
        async with self._sessions.begin() as session:
            if await DeviceService(session, Scope(owner)).forget(event.data.id, owner, event.data.version):
                await LinkService(session, Scope(owner)).device_gone(event.data.id)


def _owner(event: FleetEvent) -> UUID:
    if event.organizationid is None:
        raise RejectNow("a device event without organizationid")
    return event.organizationid
