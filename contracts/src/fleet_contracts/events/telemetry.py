"""What telemetry says about devices as a whole: presence and traffic volume."""

from typing import Literal
from uuid import UUID

from pydantic import Field

from fleet_contracts.events.envelope import Data, OwnedEvent, Timestamp


class DeviceSeen(Data):
    """A device and the arrival time of its newest reading."""

    id: UUID
    last_seen: Timestamp


class PresenceData(Data):
    """Devices of one organisation that were heard since the last such event."""

    devices: list[DeviceSeen]


class DeviceVolume(Data):
    """What a device reported to have sent and received, readings of one hour (UTC) together, in bytes.

    It is the whole hour as stored so far, never an increment: of two, the larger one is the later one.
    """

    id: UUID
    hour: Timestamp
    data_bytes: int = Field(ge=0)


class VolumeData(Data):
    """Hours of devices of one organisation whose volumes grew."""

    volumes: list[DeviceVolume]


class TelemetryPresence(OwnedEvent):
    """Devices were heard; published at most once a second per organisation."""

    type: Literal["telemetry.presence"] = "telemetry.presence"
    data: PresenceData


class TelemetryVolume(OwnedEvent):
    """Devices' own count of their traffic grew; a device's hour is told of every few minutes at most."""

    type: Literal["telemetry.volume"] = "telemetry.volume"
    data: VolumeData
