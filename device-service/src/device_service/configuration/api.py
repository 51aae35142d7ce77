from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response

from device_service.devices.access import Devices
from device_service.devices.changes import on_commit
from device_service.devices.preconditions import IfMatch, etag
from fleet_kit.json_object import JsonObject

router = APIRouter(prefix="/devices/{device_id}/config", tags=["configuration"], dependencies=[on_commit])


@router.get("")
async def read_config(device_id: UUID, response: Response, devices: Devices) -> dict[str, Any]:
    """The device's configuration; the ETag is the device's."""
    device = await devices.get(device_id)
    response.headers["ETag"] = etag(device.version)
    return device.config


@router.put("")
async def replace_config(
    device_id: UUID, config: JsonObject, response: Response, devices: Devices, if_match: IfMatch
) -> dict[str, Any]:
    """Replace the whole configuration."""
    device = await devices.change(device_id, {"config": config}, if_match)
    response.headers["ETag"] = etag(device.version)
    return device.config
