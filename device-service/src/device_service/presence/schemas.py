from uuid import UUID

from device_service.devices.models import DeviceStatus
from fleet_kit.schemas import ResponseModel, Timestamp


class StatusOut(ResponseModel):
    """Whether the device is heard; `last_seen` is null until it was heard once."""

    id: UUID
    status: DeviceStatus
    last_seen: Timestamp | None
