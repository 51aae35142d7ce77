"""How a request reaches the credentials, and how a device says who it is."""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request

from device_service.credentials.service import Authenticator, CredentialService
from device_service.devices.access import Devices
from device_service.devices.changes import RequestChanges
from device_service.devices.read import fetch
from device_service.devices.service import not_found
from fleet_kit.database import DbSession
from fleet_kit.errors import Forbidden, Unauthorized
from fleet_kit.openapi import raises
from fleet_kit.principal import CurrentUser, Role, current_principal
from fleet_kit.unproved_limit import mark_proved

SCHEME = "device"


async def _credentials(
    session: DbSession, principal: CurrentUser, devices: Devices, changes: RequestChanges
) -> CredentialService:
    return CredentialService(session, principal, devices, changes)


Credentials = Annotated[CredentialService, Depends(_credentials)]


@dataclass(frozen=True, slots=True)
class Reporter:
    """Who reports something for a device: the device itself, or a person who may change it."""

    device_id: UUID
    organization_id: UUID
    is_device: bool = False


@raises(Unauthorized, Forbidden)
async def _reporter(device_id: UUID, request: Request) -> Reporter:
    """By `Authorization: Device <id>:<key>` of that device, or by an operator's token.

    Holds no database connection afterwards: what follows may wait for the broker.
    """
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == SCHEME:
        return await _device(device_id, request, credentials.strip())
    principal = await current_principal(request)
    device = await fetch(request.app.state.sessions, principal, device_id)
    principal.require(Role.OPERATOR)
    return Reporter(device.id, device.organization_id)


async def _device(device_id: UUID, request: Request, credentials: str) -> Reporter:
    claimed, _, key = credentials.partition(":")
    authenticator: Authenticator = request.app.state.authenticator
    try:
        identity = await authenticator.identify(UUID(claimed), key)
    except ValueError:
        identity = None
    if identity is None:
        raise Unauthorized("not the key of this device", code="DEVICE_KEY_INVALID")
    mark_proved(request.scope)
    if identity.device_id != device_id:
        raise not_found()
    return Reporter(identity.device_id, identity.organization_id, is_device=True)


CurrentReporter = Annotated[Reporter, Depends(_reporter)]
