"""What telemetry says about devices as a whole: presence and traffic volume."""

from typing import Literal
from uuid import UUID

from pydantic import Field

from fleet_contracts.events.envelope import Data, OwnedEvent, Timestamp

MAX_VOLUME_BYTES = 2**53
"""Of an hour of a device: the largest integer that JSON readers of every language agree on."""


class DeviceSeen(Data):
    """A device and the arrival time of its newest reading."""

    id: UUID
    last_seen: Timestamp


class PresenceData(Data):
    """Devices of one organisation that were heard since the last such event.

    `watermark`: whatever had reached the broker before this moment is worked off, and its devices were named
    in this event or an earlier one, for all organisations: silence counts only until then. It comes about
    once a second from each worker, without devices and in an event of no organisation (the nil UUID); not
    while readings wait or cannot be stored. It may come late or again: the newest one counts.
    """

    devices: list[DeviceSeen]
    watermark: Timestamp | None = None


class DeviceVolume(Data):
    """What a device reported to have sent and received, readings of one hour (UTC) together, in bytes.

    Negative figures count as nothing; where a device reports more than MAX_VOLUME_BYTES it is this number.
    It is the whole hour as stored so far, never an increment: of two, the larger one is the later one.
    """

    id: UUID
    hour: Timestamp
    data_bytes: int = Field(ge=0, le=MAX_VOLUME_BYTES)


class VolumeData(Data):
    """Hours of devices of one organisation whose volumes grew."""

    volumes: list[DeviceVolume]


class ExcessData(Data):
    """Devices of one organisation that send more than they, or all its devices together, may."""

    devices: list[UUID]


class TelemetryPresence(OwnedEvent):
    """Devices were heard, or it is known until when others were not; of many devices in several events."""

    type: Literal["telemetry.presence"] = "telemetry.presence"
    data: PresenceData


class TelemetryVolume(OwnedEvent):
    """Devices' own count of their traffic grew; a device's hour is told of every few minutes at most."""

    type: Literal["telemetry.volume"] = "telemetry.volume"
    data: VolumeData


class TelemetryExcess(OwnedEvent):
    """Readings of others waited for those that these devices send beyond their limits.

    Repeated while it goes on, several times a second; names those that send the most, 50 at most.
    """

    type: Literal["telemetry.excess"] = "telemetry.excess"
    data: ExcessData
