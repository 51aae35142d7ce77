from uuid import UUID

from fastapi import APIRouter

from device_service.devices.access import Devices
from device_service.presence.schemas import StatusOut

router = APIRouter(prefix="/devices/{device_id}/status", tags=["status"])


@router.get("")
async def read_status(device_id: UUID, devices: Devices) -> StatusOut:
    """Whether the device is heard at present, and when it was heard last."""
    return StatusOut.model_validate(await devices.get(device_id))
