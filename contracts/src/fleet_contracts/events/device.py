"""Devices: created, changed, removed, heard, and what they report."""

from typing import Literal
from uuid import UUID

from pydantic import Field, JsonValue

from fleet_contracts.events.envelope import Data, OwnedEvent, Timestamp


class DeviceData(Data):
    """Facts of a device that other services keep a copy of. `version` grows with each change."""

    id: UUID
    name: str
    type: str
    iccid: str | None = None
    tags: list[str] = Field([])
    version: int = 1


class DeviceRef(Data):
    """A device that no longer exists."""

    id: UUID
    version: int = 1


class DeviceStatusData(Data):
    """Online means: heard within the configured time."""

    id: UUID
    status: Literal["online", "offline"]
    last_seen: Timestamp


class DeviceEventData(Data):
    """Something that a device, or a person on its behalf, reported as an event."""

    id: UUID
    device_id: UUID
    event_type: str
    payload: dict[str, JsonValue]


class DeviceRegistered(OwnedEvent):
    """A device was created."""

    type: Literal["device.registered"] = "device.registered"
    data: DeviceData


class DeviceUpdated(OwnedEvent):
    """A device's facts changed."""

    type: Literal["device.updated"] = "device.updated"
    data: DeviceData


class DeviceDeleted(OwnedEvent):
    """A device was removed."""

    type: Literal["device.deleted"] = "device.deleted"
    data: DeviceRef


class DeviceStatusChanged(OwnedEvent):
    """A device came online or went offline."""

    type: Literal["device.status_changed"] = "device.status_changed"
    data: DeviceStatusData


class DeviceEventReported(OwnedEvent):
    """A device reported an event of its own."""

    type: Literal["device.event_reported"] = "device.event_reported"
    data: DeviceEventData
