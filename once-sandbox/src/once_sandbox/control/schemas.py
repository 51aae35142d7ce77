"""What the control API takes."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from once_sandbox.sims.identity import ICCID_LENGTH, luhn_digit
from once_sandbox.wire import Text


def _without_luhn(value: str) -> str:
    if len(value) == ICCID_LENGTH + 1 and value.isascii() and value.isdigit():
        if luhn_digit(value[:-1]) == int(value[-1]):
            return value[:-1]
        raise ValueError("the check digit is wrong")
    return value


Iccid = Annotated[str, Field(max_length=40), AfterValidator(_without_luhn)]
"""19 digits, or the 20 that a modem reports."""


def _in_use(value: datetime) -> datetime:
    if not 2000 <= value.year <= 2200:
        raise ValueError("must be between the years 2000 and 2200")
    return value


YearOfUse = Annotated[datetime, AfterValidator(_in_use)]
"""A moment that a calendar can still add decades to."""
Bytes = Annotated[int, Field(ge=0, le=10**12)]


class Strict(BaseModel):
    """A request without unknown fields."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class NewSims(Strict):
    """SIMs that arrive in the account."""

    count: int = Field(1, ge=1, le=100_000)
    fresh: bool = Field(default=False, description="without any past; otherwise with a seeded one")


class Reset(Strict):
    """A new world."""

    sims: int | None = Field(None, ge=0, le=1_000_000)
    seed: int | None = Field(None, ge=0)
    profile: Literal["spec", "recorded"] | None = None


class SimChange(Strict):
    """The truth about a SIM, changed at once."""

    enabled: bool | None = None
    label: Text | None = Field(None, max_length=255)
    imei: str | None = Field(None, pattern=r"^\d{16}$")
    imei_lock: bool | None = None
    remaining_mb: float | None = Field(None, ge=-1_000_000, le=1_000_000, description="data left")
    remaining_sms: int | None = Field(None, ge=-1_000_000, le=1_000_000)
    expires_at: YearOfUse | None = None
    expires_in_seconds: float | None = Field(None, ge=-(10**9), le=10**9)
    foreign: bool | None = Field(None, description="belongs to another customer")


class Usage(Strict):
    """Traffic of one SIM; `bytes` alone counts as sent by it."""

    iccid: Iccid
    bytes: Bytes | None = None
    sent_bytes: Bytes | None = None
    received_bytes: Bytes | None = None
    imei: str | None = Field(None, pattern=r"^\d{14,16}$", description="the device the SIM sits in")
    at: YearOfUse | None = Field(None, description="a past moment; left out: now")

    @model_validator(mode="after")
    def _one_way(self) -> "Usage":
        split = self.sent_bytes is not None or self.received_bytes is not None
        if split == (self.bytes is not None):
            raise ValueError("give either bytes, or sent_bytes and received_bytes")
        return self


class SessionChange(Strict):
    """What the device or the network does."""

    iccid: Iccid
    action: Literal["attach", "open", "close", "detach", "vanish", "block", "unblock", "fail"]
    operator: Text | None = Field(None, description="name, or MCC and MNC, for attach")
    rat: Literal["2G", "3G", "4G", "NB-IoT"] | None = None
    cause: str = Field("DATA_SERVICE_BARRED", pattern="^[A-Z_]+$", max_length=60, description="for fail")


class MobileOriginated(Strict):
    """A message that the SIM sends."""

    iccid: Iccid
    payload: Text = Field(max_length=2000)
    dcs: Literal[0, 4, 8] = 0
    udh: Text = Field("", max_length=280)
    dest_address: Text = Field("1234567890", max_length=40)


class SmsOutcome(Strict):
    """How a waiting message ends."""

    status: Literal["DELIVERED", "FAILED", "EXPIRED"]


class Answer(Strict):
    """Support says something."""

    text: Text = Field("", max_length=20_000)
    status: Literal["OPEN", "IN_PROGRESS", "CLOSED"] = "IN_PROGRESS"
