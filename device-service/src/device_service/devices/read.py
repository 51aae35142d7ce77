"""Reading one device: by far the most frequent request, so it costs as little as it can.

A hit is one round trip to Redis, which also answers whether the token was revoked, and gives back bytes that
were serialised before. The device's organisation is kept with them and checked against the caller's.
"""

import time
from uuid import UUID

from fastapi import APIRouter, Request, Response

from device_service.devices.changes import Caches
from device_service.devices.models import Device
from device_service.devices.preconditions import etag
from device_service.devices.repository import DeviceRepository
from device_service.devices.schemas import DeviceOut
from device_service.devices.service import not_found
from fleet_kit.database import Sessions
from fleet_kit.errors import Unauthorized, Unprocessable, invalid
from fleet_kit.openapi import raises
from fleet_kit.principal import Principal, current_principal
from fleet_kit.scope import Scope

router = APIRouter(prefix="/devices", tags=["devices"])


_DEVICE_ID = {
    "name": "device_id",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "format": "uuid"},
}


@router.get("/{device_id}", response_model=DeviceOut, openapi_extra={"parameters": [_DEVICE_ID]})
@raises(Unauthorized, Unprocessable)
async def read_device(request: Request) -> Response:
    """One device; its ETag is what If-Match takes."""
    device_id = _device_id(request.path_params["device_id"])
    caches: Caches = request.app.state.caches
    key = str(device_id)
    pending = caches.devices.start_get(key)
    principal = await current_principal(request)
    packed = await caches.devices.finish_get(key, pending)
    if packed is None:
        read_at = time.monotonic()
        packed = _pack(await fetch(request.app.state.sessions, principal, device_id))
        await caches.devices.fill(key, packed, read_at=read_at)
    return _unpack(packed, principal.scope)


def _device_id(text: str) -> UUID:
    """Read here and not by the framework, which takes ten times as long."""
    try:
        return UUID(text)
    except ValueError:
        raise invalid("device_id", "must be a UUID") from None


async def fetch(sessions: Sessions, principal: Principal, device_id: UUID) -> Device:
    """The device, with no database connection held afterwards; raises NotFound."""
    async with sessions() as session:
        device = await DeviceRepository(session, principal.scope).find(device_id)
    if device is None:
        raise not_found()
    return device


def _pack(device: Device) -> bytes:
    """Organisation, ETag and body in one."""
    body = DeviceOut.model_validate(device).model_dump_json()
    return device.organization_id.bytes + f"{etag(device.version)} {body}".encode()


def _unpack(packed: bytes, scope: Scope) -> Response:
    """The response; raises NotFound for a device of another organisation."""
    if not scope.covers(UUID(bytes=packed[:16])):
        raise not_found()
    tag, _, body = packed[16:].partition(b" ")
    return Response(body, media_type="application/json", headers={"ETag": tag.decode()})
