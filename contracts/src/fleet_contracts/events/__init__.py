"""Every domain event, as CloudEvents 1.0 in structured JSON mode, one module for each aggregate.

The event's `type` is also its routing key on the exchange `fleet.events`. A contract is additive within
`dataschema` version 1: fields may be added with a default, never removed, renamed or narrowed.
"""

from fleet_contracts.events.alert import AlertAcknowledged, AlertCleared, AlertData, AlertRaised
from fleet_contracts.events.device import (
    DeviceData,
    DeviceDeleted,
    DeviceEventData,
    DeviceEventReported,
    DeviceRef,
    DeviceRegistered,
    DeviceStatusChanged,
    DeviceStatusData,
    DeviceUpdated,
)
from fleet_contracts.events.envelope import Data, FleetEvent, OwnedEvent, Timestamp
from fleet_contracts.events.organization import OrganizationCreated, OrganizationData
from fleet_contracts.events.registry import EVENT_TYPES, UnknownEventType, encode_event, parse_event
from fleet_contracts.events.sim import (
    QuotaData,
    SimData,
    SimQuotaExhausted,
    SimQuotaLow,
    SimSmsReceived,
    SimSmsSent,
    SimStatusChanged,
    SimStatusData,
    SimToppedUp,
    SimUpdated,
    SimUsageRecorded,
    SmsData,
    TopUpData,
    UsageData,
)
from fleet_contracts.events.telemetry import (
    MAX_VOLUME_BYTES,
    DeviceSeen,
    DeviceVolume,
    ExcessData,
    PresenceData,
    TelemetryExcess,
    TelemetryPresence,
    TelemetryVolume,
    VolumeData,
)
from fleet_contracts.events.token import TokenRevoked, TokenRevokedData
from fleet_contracts.events.user import UserCreated, UserData, UserUpdated

__all__ = [
    "EVENT_TYPES",
    "MAX_VOLUME_BYTES",
    "AlertAcknowledged",
    "AlertCleared",
    "AlertData",
    "AlertRaised",
    "Data",
    "DeviceData",
    "DeviceDeleted",
    "DeviceEventData",
    "DeviceEventReported",
    "DeviceRef",
    "DeviceRegistered",
    "DeviceSeen",
    "DeviceStatusChanged",
    "DeviceStatusData",
    "DeviceUpdated",
    "DeviceVolume",
    "ExcessData",
    "FleetEvent",
    "OrganizationCreated",
    "OrganizationData",
    "OwnedEvent",
    "PresenceData",
    "QuotaData",
    "SimData",
    "SimQuotaExhausted",
    "SimQuotaLow",
    "SimSmsReceived",
    "SimSmsSent",
    "SimStatusChanged",
    "SimStatusData",
    "SimToppedUp",
    "SimUpdated",
    "SimUsageRecorded",
    "SmsData",
    "TelemetryExcess",
    "TelemetryPresence",
    "TelemetryVolume",
    "Timestamp",
    "TokenRevoked",
    "TokenRevokedData",
    "TopUpData",
    "UnknownEventType",
    "UsageData",
    "UserCreated",
    "UserData",
    "UserUpdated",
    "VolumeData",
    "encode_event",
    "parse_event",
]
