"""How a request reaches the device service."""

from typing import Annotated

from fastapi import Depends, Request

from device_service.devices.changes import RequestChanges
from device_service.devices.service import DeviceService
from fleet_kit.database import DbSession
from fleet_kit.limits import Defaults, Limits
from fleet_kit.principal import CurrentUser


def limits_of(request: Request) -> Defaults:
    """The limits of organisations in this service."""
    limits: Defaults = request.app.state.limits
    return limits


async def _limits(request: Request, session: DbSession) -> Limits:
    return Limits(session, limits_of(request))


DeviceLimits = Annotated[Limits, Depends(_limits)]


async def _devices(
    request: Request,
    changes: RequestChanges,
    session: DbSession,
    principal: CurrentUser,
    limits: DeviceLimits,
) -> DeviceService:
    return DeviceService(session, principal, changes, limits, request.app.state.counted_below_devices)


Devices = Annotated[DeviceService, Depends(_devices)]
