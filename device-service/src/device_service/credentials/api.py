from uuid import UUID

from fastapi import APIRouter, status

from device_service.credentials.access import Credentials
from device_service.credentials.schemas import KeyOut
from device_service.devices.changes import on_commit

router = APIRouter(prefix="/devices/{device_id}/credentials", tags=["credentials"], dependencies=[on_commit])


@router.post("", status_code=status.HTTP_201_CREATED)
async def issue_key(device_id: UUID, credentials: Credentials) -> KeyOut:
    """Give the device a new key, in place of any it had."""
    return KeyOut(key=await credentials.rotate(device_id))


@router.delete("", status_code=status.HTTP_204_NO_CONTENT)
async def revoke_key(device_id: UUID, credentials: Credentials) -> None:
    """Take the device's key away until a new one is issued."""
    await credentials.revoke(device_id)
