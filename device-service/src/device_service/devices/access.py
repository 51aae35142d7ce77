"""How a request reaches the device service."""

from typing import Annotated

from fastapi import Depends

from device_service.devices.changes import RequestChanges
from device_service.devices.service import DeviceService
from fleet_kit.database import DbSession
from fleet_kit.principal import CurrentUser


async def _devices(changes: RequestChanges, session: DbSession, principal: CurrentUser) -> DeviceService:
    return DeviceService(session, principal, changes)


Devices = Annotated[DeviceService, Depends(_devices)]
