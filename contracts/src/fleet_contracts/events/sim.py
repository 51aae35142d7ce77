"""SIM cards: facts, status at the carrier, usage, quotas, top-ups and SMS."""

from typing import Literal
from uuid import UUID

from fleet_contracts.events.envelope import Data, OwnedEvent


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


class SimUpdated(OwnedEvent):
    """A SIM's facts, owner or link changed."""

    type: Literal["sim.updated"] = "sim.updated"
    data: SimData


class SimStatusChanged(OwnedEvent):
    """A SIM's state at the carrier changed."""

    type: Literal["sim.status_changed"] = "sim.status_changed"
    data: SimStatusData


class SimUsageRecorded(OwnedEvent):
    """A day's usage of a SIM was recorded or grew."""

    type: Literal["sim.usage_recorded"] = "sim.usage_recorded"
    data: UsageData


class SimQuotaLow(OwnedEvent):
    """A quota fell below its threshold; once per crossing."""

    type: Literal["sim.quota_low"] = "sim.quota_low"
    data: QuotaData


class SimQuotaExhausted(OwnedEvent):
    """A quota is used up; once per crossing."""

    type: Literal["sim.quota_exhausted"] = "sim.quota_exhausted"
    data: QuotaData


class SimToppedUp(OwnedEvent):
    """Volume that was bought for a SIM is there; once for each purchase."""

    type: Literal["sim.topped_up"] = "sim.topped_up"
    data: TopUpData


class SimSmsSent(OwnedEvent):
    """A short message was handed to the carrier."""

    type: Literal["sim.sms_sent"] = "sim.sms_sent"
    data: SmsData


class SimSmsReceived(OwnedEvent):
    """A SIM sent a short message."""

    type: Literal["sim.sms_received"] = "sim.sms_received"
    data: SmsData
