from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response, status

from device_service.devices.access import Devices
from device_service.devices.changes import on_commit
from device_service.devices.preconditions import IfMatch, etag
from device_service.devices.schemas import DeviceIn, DeviceOut, DevicePatch, DeviceQuery
from fleet_kit.errors import Conflict
from fleet_kit.openapi import raises
from fleet_kit.pagination import Page, Paging

router = APIRouter(prefix="/devices", tags=["devices"], dependencies=[on_commit])


@router.get("", include_in_schema=False)
@router.get("/")
async def list_devices(
    devices: Devices, wanted: Annotated[DeviceQuery, Query()], paging: Paging
) -> Page[DeviceOut]:
    """Devices of the organisation, in pages."""
    return (await devices.page(wanted, paging)).to_page(DeviceOut.model_validate, paging)


@router.put("/{device_id}")
@raises(Conflict)
async def replace_device(
    device_id: UUID, data: DeviceIn, response: Response, devices: Devices, if_match: IfMatch
) -> DeviceOut:
    """Replace everything that people set; what is left out gets its default."""
    device = await devices.change(device_id, data.model_dump(), if_match)
    response.headers["ETag"] = etag(device.version)
    return DeviceOut.model_validate(device)


@router.patch("/{device_id}")
@raises(Conflict)
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
