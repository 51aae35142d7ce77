"""Every domain event, as CloudEvents 1.0 in structured JSON mode.

The event's `type` is also its routing key on the exchange `fleet.events`. A contract is additive within
`dataschema` version 1: fields may be added with a default, never removed, renamed or narrowed.
"""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID, uuid4

from pydantic import BaseModel, ConfigDict, Field, JsonValue, PlainSerializer, TypeAdapter

from fleet_contracts.telemetry import format_ts

Timestamp = Annotated[datetime, PlainSerializer(format_ts, return_type=str, when_used="json")]
"""A moment; in JSON always RFC 3339 UTC with milliseconds."""


class Data(BaseModel):
    """Payload of an event. Readers ignore fields that they do not know: contracts grow."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class FleetEvent(BaseModel):
    """The CloudEvents envelope; subclasses fix `type` and `data`.

    `source` is the publishing service, `subject` the aggregate's id (the order of events holds per subject)
    and `organizationid` the owner, absent only for what belongs to no organisation.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    specversion: Literal["1.0"] = "1.0"
    id: UUID = Field(default_factory=uuid4)
    source: str
    subject: str
    time: Timestamp = Field(default_factory=lambda: datetime.now(UTC))
    datacontenttype: Literal["application/json"] = "application/json"
    organizationid: UUID | None = None
    type: str
    data: Any

    @property
    def owner(self) -> UUID:
        """The organisation it is about; raises ValueError for an event of none."""
        if self.organizationid is None:
            raise ValueError(f"{self.type} has no organizationid")
        return self.organizationid


class DeviceData(Data):
    """Facts of a device that other services keep a copy of. `version` grows with each change."""

    id: UUID
    name: str
    type: str
    iccid: str | None = None
    tags: list[str] = []
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


class SimData(Data):
    """Facts of a SIM. `device_id` is the device that it is linked to."""

    iccid: str
    imsi: str | None = None
    msisdn: str | None = None
    label: str | None = None
    status: str
    device_id: UUID | None = None


class SimStatusData(Data):
    """A SIM's state at the carrier changed; a `desired` other than `status`: not by whoever owns it."""

    iccid: str
    status: str
    previous: str | None = None
    desired: str | None = None


class UsageData(Data):
    """Usage of one SIM on one day, in bytes; `sms_*` in messages. MO is what the SIM sent."""

    iccid: str
    day: str
    data_mo_bytes: int = 0
    data_mt_bytes: int = 0
    sms_mo: int = 0
    sms_mt: int = 0


class QuotaData(Data):
    """A quota crossed its threshold; volumes in megabytes for data, messages for SMS."""

    iccid: str
    quota: Literal["data", "sms"]
    remaining: float
    total: float
    threshold_percent: float


class TopUpData(Data):
    """Volume that was bought for a SIM is there; `order_id` is the carrier's order, where it shows one."""

    iccid: str
    order_id: str | None = None


class SmsData(Data):
    """A short message to (sent) or from (received) a SIM; the text stays in sim-service."""

    iccid: str
    message_id: str


class AlertData(Data):
    """An alert and the rule that raised it."""

    id: UUID
    rule_id: UUID | None = None
    severity: Literal["info", "warning", "critical"]
    message: str
    device_id: UUID | None = None
    iccid: str | None = None


class TokenRevokedData(Data):
    """Tokens with this `jti` or of this session (`sid`) are refused from now on, until `expires_at`."""

    jti: str | None = None
    sid: str | None = None
    expires_at: Timestamp


class UserData(Data):
    """A user without credentials."""

    id: UUID
    email: str
    role: Literal["viewer", "operator", "admin"]


class OrganizationData(Data):
    """An organisation."""

    id: UUID
    name: str


class DeviceRegistered(FleetEvent):
    """A device was created."""

    type: Literal["device.registered"] = "device.registered"
    data: DeviceData


class DeviceUpdated(FleetEvent):
    """A device's facts changed."""

    type: Literal["device.updated"] = "device.updated"
    data: DeviceData


class DeviceDeleted(FleetEvent):
    """A device was removed."""

    type: Literal["device.deleted"] = "device.deleted"
    data: DeviceRef


class DeviceStatusChanged(FleetEvent):
    """A device came online or went offline."""

    type: Literal["device.status_changed"] = "device.status_changed"
    data: DeviceStatusData


class DeviceEventReported(FleetEvent):
    """A device reported an event of its own."""

    type: Literal["device.event_reported"] = "device.event_reported"
    data: DeviceEventData


class TelemetryPresence(FleetEvent):
    """Devices were heard; published at most once a second per organisation."""

    type: Literal["telemetry.presence"] = "telemetry.presence"
    data: PresenceData


class TelemetryVolume(FleetEvent):
    """Devices' own count of their traffic grew; a device's hour is told of every few minutes at most."""

    type: Literal["telemetry.volume"] = "telemetry.volume"
    data: VolumeData


class SimUpdated(FleetEvent):
    """A SIM's facts, owner or link changed."""

    type: Literal["sim.updated"] = "sim.updated"
    data: SimData


class SimStatusChanged(FleetEvent):
    """A SIM's state at the carrier changed."""

    type: Literal["sim.status_changed"] = "sim.status_changed"
    data: SimStatusData


class SimUsageRecorded(FleetEvent):
    """A day's usage of a SIM was recorded or grew."""

    type: Literal["sim.usage_recorded"] = "sim.usage_recorded"
    data: UsageData


class SimQuotaLow(FleetEvent):
    """A quota fell below its threshold; once per crossing."""

    type: Literal["sim.quota_low"] = "sim.quota_low"
    data: QuotaData


class SimQuotaExhausted(FleetEvent):
    """A quota is used up; once per crossing."""

    type: Literal["sim.quota_exhausted"] = "sim.quota_exhausted"
    data: QuotaData


class SimToppedUp(FleetEvent):
    """Volume that was bought for a SIM is there; once for each purchase."""

    type: Literal["sim.topped_up"] = "sim.topped_up"
    data: TopUpData


class SimSmsSent(FleetEvent):
    """A short message was handed to the carrier."""

    type: Literal["sim.sms_sent"] = "sim.sms_sent"
    data: SmsData


class SimSmsReceived(FleetEvent):
    """A SIM sent a short message."""

    type: Literal["sim.sms_received"] = "sim.sms_received"
    data: SmsData


class AlertRaised(FleetEvent):
    """A rule fired."""

    type: Literal["alert.raised"] = "alert.raised"
    data: AlertData


class AlertAcknowledged(FleetEvent):
    """A person took an alert."""

    type: Literal["alert.acknowledged"] = "alert.acknowledged"
    data: AlertData


class AlertCleared(FleetEvent):
    """The cause of an alert is gone."""

    type: Literal["alert.cleared"] = "alert.cleared"
    data: AlertData


class TokenRevoked(FleetEvent):
    """A token or a whole session was revoked."""

    type: Literal["token.revoked"] = "token.revoked"
    data: TokenRevokedData


class UserCreated(FleetEvent):
    """A user exists."""

    type: Literal["user.created"] = "user.created"
    data: UserData


class UserUpdated(FleetEvent):
    """A user's facts changed."""

    type: Literal["user.updated"] = "user.updated"
    data: UserData


class OrganizationCreated(FleetEvent):
    """An organisation exists."""

    type: Literal["organization.created"] = "organization.created"
    data: OrganizationData


EVENT_TYPES: dict[str, type[FleetEvent]] = {
    cls.model_fields["type"].default: cls for cls in FleetEvent.__subclasses__()
}
"""Event class by its `type`."""


class UnknownEventType(ValueError):
    """The event's type is not one of EVENT_TYPES."""


_TYPE_ONLY = TypeAdapter(dict[str, JsonValue])


def parse_event(body: bytes) -> FleetEvent:
    """The typed event in a message body; raises UnknownEventType or pydantic's ValidationError."""
    raw = _TYPE_ONLY.validate_json(body)
    cls = EVENT_TYPES.get(str(raw.get("type")))
    if cls is None:
        raise UnknownEventType(f"unknown event type {str(raw.get('type'))[:80]!r}")
    return cls.model_validate_json(body)


def encode_event(event: FleetEvent) -> bytes:
    """The event as it travels."""
    return event.model_dump_json().encode()
