from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response, status

from device_service.credentials.access import Credentials
from device_service.devices.access import Devices
from device_service.devices.changes import on_commit
from device_service.devices.preconditions import IfMatch, etag
from device_service.devices.schemas import CreatedDeviceOut, DeviceIn, DeviceOut, DevicePatch, DeviceQuery
from fleet_kit.idempotency import IdempotencyKey
from fleet_kit.pagination import Page, Paging
from fleet_kit.principal import CurrentUser, Role

router = APIRouter(prefix="/devices", tags=["devices"], dependencies=[on_commit])


@router.post("", status_code=status.HTTP_201_CREATED, include_in_schema=False)
@router.post("/", status_code=status.HTTP_201_CREATED)
async def create_device(
    *,
    data: DeviceIn,
    response: Response,
    devices: Devices,
    credentials: Credentials,
    principal: CurrentUser,
    idempotency: IdempotencyKey,
) -> CreatedDeviceOut:
    """Create a device and its key. A repetition with the same Idempotency-Key answers without the key."""
    principal.require(Role.OPERATOR)
    owner = str(principal.organization_id)
    before = await idempotency.replay(owner)
    if before is not None:
        return CreatedDeviceOut.model_validate_json(before)
    device = await devices.create(data)
    created = CreatedDeviceOut.model_validate(device)
    await idempotency.remember(owner, created.model_dump_json())
    created.key = await credentials.issue(device)
    response.headers["ETag"] = etag(device.version)
    return created


@router.get("", include_in_schema=False)
@router.get("/")
async def list_devices(
    devices: Devices, wanted: Annotated[DeviceQuery, Query()], paging: Paging
) -> Page[DeviceOut]:
    """Devices of the organisation, in pages."""
    return (await devices.page(wanted, paging)).shown_as(DeviceOut.model_validate, paging)


@router.put("/{device_id}")
async def replace_device(
    device_id: UUID, data: DeviceIn, response: Response, devices: Devices, if_match: IfMatch
) -> DeviceOut:
    """Replace everything that people set; what is left out gets its default."""
    device = await devices.change(device_id, data.model_dump(), if_match)
    response.headers["ETag"] = etag(device.version)
    return DeviceOut.model_validate(device)


@router.patch("/{device_id}")
async def change_device(
    device_id: UUID, data: DevicePatch, response: Response, devices: Devices, if_match: IfMatch
) -> DeviceOut:
    """Change the named fields; `config` is replaced as a whole."""
    device = await devices.change(device_id, data.changes(), if_match)
    response.headers["ETag"] = etag(device.version)
    return DeviceOut.model_validate(device)


@router.delete("/{device_id}", status_code=status.HTTP_204_NO_CONTENT)
async def delete_device(device_id: UUID, devices: Devices, if_match: IfMatch) -> None:
    """Remove the device with its key and its events."""
    await devices.delete(device_id, if_match)
