"""Reading one device: by far the most frequent request, so it costs as little as it can."""

import time
from uuid import UUID

from fastapi import APIRouter, Request, Response

from device_service.devices.changes import Caches, cache_key
from device_service.devices.preconditions import etag
from device_service.devices.repository import DeviceRepository
from device_service.devices.schemas import DeviceOut
from device_service.devices.service import not_found
from fleet_kit.database import Sessions
from fleet_kit.principal import CurrentUser

router = APIRouter(prefix="/devices", tags=["devices"])


@router.get("/{device_id}", response_model=DeviceOut)
async def read_device(device_id: UUID, request: Request, principal: CurrentUser) -> Response:
    """One device; its ETag is what If-Match takes."""
    caches: Caches = request.app.state.caches
    key = cache_key(principal.organization_id, device_id)
    packed = await caches.devices.get(key)
    if packed is None:
        read_at = time.monotonic()
        organization_id, packed = await _fetch(request.app.state.sessions, principal, device_id)
        if organization_id == principal.organization_id:
            await caches.devices.fill(key, packed, read_at=read_at)
    tag, _, body = packed.partition(b" ")
    return Response(body, media_type="application/json", headers={"ETag": tag.decode()})


async def _fetch(sessions: Sessions, principal: CurrentUser, device_id: UUID) -> tuple[UUID, bytes]:
    """The device's organisation, and its ETag and body in one; raises NotFound."""
    async with sessions() as session:
        device = await DeviceRepository(session, principal.scope).find(device_id)
    if device is None:
        raise not_found()
    body = DeviceOut.model_validate(device).model_dump_json()
    return device.organization_id, f"{etag(device.version)} {body}".encode()
