from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from device_service.broker_sessions.service import SessionTerminations
from device_service.devices import events
from device_service.devices.changes import Changes
from device_service.devices.models import Device
from device_service.devices.preconditions import Precondition
from device_service.devices.repository import DeviceRepository
from device_service.devices.schemas import DeviceIn, DeviceQuery
from fleet_kit.errors import Conflict, NotFound
from fleet_kit.keyset_pagination import PageResult
from fleet_kit.limits import Limits
from fleet_kit.outbox import Outbox
from fleet_kit.pagination import PageParams
from fleet_kit.principal import Principal, Role

DEVICES = "devices"
"""The limit of an organisation that a new device counts for."""

CountedBelow = Mapping[str, Callable[[AsyncSession, UUID], Awaitable[int]]]
"""What goes with a device and counts for limits of its organisation: by limit, what deletes and counts it."""

_TAKEN = {
    "uq_t_devices_organization_id_name": ("name", "DEVICE_NAME_TAKEN"),
    "uq_t_devices_organization_id_iccid": ("iccid", "DEVICE_ICCID_TAKEN"),
}


def not_found() -> NotFound:
    """For devices that do not exist or belong to another organisation."""
    return NotFound("there is no such device", code="DEVICE_NOT_FOUND")


class DeviceService:
    """What may be done with devices, and the events that it publishes."""

    def __init__(
        self,
        session: AsyncSession,
        principal: Principal,
        changes: Changes,
        limits: Limits,
        counted_below: CountedBelow,
    ) -> None:
        self._session, self._principal, self._changes = session, principal, changes
        self._limits, self._counted_below = limits, counted_below
        self._devices = DeviceRepository(session, principal.scope)
        self._outbox = Outbox(session)

    async def get(self, device_id: UUID) -> Device:
        """The device; raises NotFound."""
        device = await self._devices.find(device_id)
        if device is None:
            raise not_found()
        return device

    async def page(self, wanted: DeviceQuery, paging: PageParams) -> PageResult[Device]:
        """One page of devices."""
        return await self._devices.page(wanted, paging)

    async def create(self, data: DeviceIn) -> Device:
        """A new device of the caller's organisation; raises Conflict for a taken name or SIM, or a limit."""
        self._principal.require(Role.OPERATOR)
        device = Device(organization_id=self._principal.organization_id, **data.model_dump())
        self._devices.add(device)
        await self._flush()
        # Last, as in `delete`: whoever waits for the name of a device that is being deleted holds no count.
        await self._limits.take(self._principal.organization_id, DEVICES)
        await self._outbox.add(events.registered(device))
        return device

    async def editable(self, device_id: UUID, precondition: Precondition | None = None) -> Device:
        """The device, locked until the commit; raises NotFound, Forbidden, PreconditionFailed."""
        device = await self._devices.find(device_id, lock=True)
        if device is None:
            raise not_found()
        self._principal.require(Role.OPERATOR)
        if precondition is not None:
            precondition.check(device.version)
        return device

    async def change(self, device_id: UUID, new: dict[str, Any], precondition: Precondition) -> Device:
        """Set the given fields. What is already so changes nothing and tells nobody."""
        device = await self.editable(device_id, precondition)
        if device.apply(new):
            await self._flush()
            await self._outbox.add(events.updated(device))
            self._changes.device(device)
        return device

    async def delete(self, device_id: UUID, precondition: Precondition) -> None:
        """Remove the device, its key and its events."""
        device = await self.editable(device_id, precondition)
        gone = {name: await delete(self._session, device.id) for name, delete in self._counted_below.items()}
        await self._devices.delete(device)
        await self._session.flush()
        await SessionTerminations(self._session).request(device.id, device.organization_id)
        await self._limits.give_back(device.organization_id, DEVICES)
        for name, number in gone.items():
            await self._limits.give_back(device.organization_id, name, number)
        await self._outbox.add(events.deleted(device))
        self._changes.device(device)
        self._changes.credential(device.id)

    async def _flush(self) -> None:
        try:
            await self._session.flush()
        except IntegrityError as error:
            for constraint, (field, code) in _TAKEN.items():
                if constraint in str(error.orig):
                    raise Conflict(
                        f"another device of the organisation has this {field}",
                        code=code,
                        details={"fields": [{"field": field, "message": "is taken"}]},
                    ) from error
            raise
