"""SIMs, their usage and their quotas."""

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum


class SimStatus(StrEnum):
    """Whether the carrier lets the SIM into the network."""

    ENABLED = "enabled"
    DISABLED = "disabled"
    UNKNOWN = "unknown"


class QuotaKind(StrEnum):
    """What a quota counts: megabytes of data, or short messages."""

    DATA = "data"
    SMS = "sms"


class QuotaState(StrEnum):
    """Above its threshold, at or below it, used up, or past its expiry date."""

    OK = "ok"
    LOW = "low"
    EXHAUSTED = "exhausted"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class CarrierSim:
    iccid: str
    status: SimStatus
    iccid_with_luhn: str | None = None
    imsi: str | None = None
    imsi_2: str | None = None
    current_imsi: str | None = None
    msisdn: str | None = None
    imei: str | None = None
    imei_lock: bool | None = None
    ip_address: str | None = None
    label: str = ""
    activated_at: datetime | None = None
    data_quota_state: QuotaState | None = None
    sms_quota_state: QuotaState | None = None


@dataclass(frozen=True, slots=True)
class SimChange:
    """What to change of a SIM; None leaves it as it is. `status`: ENABLED or DISABLED."""

    status: SimStatus | None = None
    label: str | None = None
    imei_lock: bool | None = None


@dataclass(frozen=True, slots=True)
class SimPage:
    """One page of all SIMs; `total` and `pages` if the carrier says so, `skipped` rows were unreadable."""

    sims: list[CarrierSim]
    page: int
    total: int | None = None
    pages: int | None = None
    skipped: int = 0
    raw_count: int = field(default=0)


@dataclass(frozen=True, slots=True)
class UsageDay:
    """One SIM on one UTC day: bytes and messages, MO sent by the SIM, MT sent to it."""

    day: date
    data_mo_bytes: int = 0
    data_mt_bytes: int = 0
    sms_mo: int = 0
    sms_mt: int = 0


@dataclass(frozen=True, slots=True)
class CarrierQuota:
    """What is left of a quota: megabytes (of 1,048,576 bytes) or messages; `remaining` may be negative."""

    kind: QuotaKind
    remaining: Decimal
    total: Decimal
    threshold_percent: int = 20
    expires_at: datetime | None = None
    last_added: Decimal | None = None
    changed_at: datetime | None = None
    state: QuotaState = QuotaState.OK
