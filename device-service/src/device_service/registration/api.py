from uuid import UUID

import orjson
from fastapi import APIRouter, Response, status

from device_service.credentials.access import Credentials
from device_service.devices.access import Devices
from device_service.devices.changes import on_commit
from device_service.devices.preconditions import etag
from device_service.devices.schemas import CreatedDeviceOut, DeviceIn
from fleet_kit.errors import Conflict, NotFound
from fleet_kit.idempotency import IdempotencyKey
from fleet_kit.openapi import raises
from fleet_kit.principal import CurrentUser, Role

router = APIRouter(prefix="/devices", tags=["devices"], dependencies=[on_commit])


@router.post("", status_code=status.HTTP_201_CREATED, include_in_schema=False)
@router.post("/", status_code=status.HTTP_201_CREATED)
@raises(Conflict, NotFound)
async def create_device(
    *,
    data: DeviceIn,
    response: Response,
    devices: Devices,
    credentials: Credentials,
    principal: CurrentUser,
    idempotency: IdempotencyKey,
) -> CreatedDeviceOut:
    """Create a device and its key. A repetition with the same Idempotency-Key answers without the key.

    It shows the device as it is then; 404 where it has been deleted.
    """
    principal.require(Role.OPERATOR)
    owner = str(principal.organization_id)
    before = await idempotency.replay(owner)
    if before is not None:
        device = await devices.get(UUID(orjson.loads(before)["id"]))
        response.headers["ETag"] = etag(device.version)
        return CreatedDeviceOut.model_validate(device)
    device = await devices.create(data)
    created = CreatedDeviceOut.model_validate(device)
    await idempotency.remember(owner, created.model_dump_json(include={"id"}))
    created.key = await credentials.issue(device)
    response.headers["ETag"] = etag(device.version)
    return created
