"""HTTP shapes of messages."""

import re
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, model_validator

from fleet_kit.schemas import QueryModel, ResponseModel, StrictModel, Text, Timestamp
from sim_service.carrier.models import SmsCoding, SmsDirection
from sim_service.messages.sms.models import State
from sim_service.messages.sms.repository import SmsFilter
from sim_service.messages.sms.service import Draft
from sim_service.platform.iccid import Iccid

_HEX = re.compile(r"(?:[0-9a-fA-F]{2})+")
ListedState = Literal[
    "scheduled", "pending", "sent", "delivered", "failed", "expired", "cancelled", "unknown", "received"
]


def _hexadecimal(value: str) -> str:
    if not _HEX.fullmatch(value):
        raise ValueError("must be pairs of hexadecimal digits")
    return value.upper()


Source = Annotated[str, StringConstraints(pattern=r"^(\+?[0-9]{1,15}|[A-Za-z0-9 ._-]{1,11})$")]
Payload = Annotated[Text, Field(min_length=1, max_length=20_000)]


class SmsIn(StrictModel):
    """A message to send: `text`, or `hex` for binary. Without a lifetime the carrier tries for 24 hours."""

    model_config = ConfigDict(str_strip_whitespace=False)

    text: Payload | None = None
    hex: Annotated[Payload, AfterValidator(_hexadecimal)] | None = None
    coding: Literal["auto", "text", "ucs2", "binary"] = Field(
        "auto", description="auto: 7-bit where the text allows it, otherwise UCS-2; `hex` is always binary"
    )
    source: Source | None = Field(None, description="shown as sender: digits, or at most 11 characters")
    expires_in: int | None = Field(None, ge=60, le=604_800, description="seconds after it was due")
    expires_at: Timestamp | None = None
    send_at: Timestamp | None = Field(None, description="not before this moment; at most a year ahead")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.text is None) == (self.hex is None):
            raise ValueError("give either text or hex")
        if (self.hex is not None) != (self.coding == "binary") and not (self.hex and self.coding == "auto"):
            raise ValueError("coding binary takes hex, the others take text")
        if self.expires_in is not None and self.expires_at is not None:
            raise ValueError("give either expires_in or expires_at")
        return self

    def draft(self) -> Draft:
        fields = self.model_dump(exclude={"coding"})
        return Draft(coding=None if self.coding == "auto" else SmsCoding(self.coding), **fields)


class PartOut(ResponseModel):
    """One short message of a longer one; `asked`: the carrier is being asked right now."""

    number: int
    state: State
    carrier_id: str | None
    delivered_at: Timestamp | None


class SmsOut(ResponseModel):
    """A message. `text` or, if binary, `hex`; `at`: when it was or will be due, or was received."""

    id: UUID
    iccid: str
    organization_id: UUID | None
    direction: SmsDirection
    state: State
    coding: SmsCoding
    text: str | None
    hex: str | None
    source: str | None
    destination: str | None
    at: Timestamp
    expires_at: Timestamp | None
    sent_at: Timestamp | None
    delivered_at: Timestamp | None
    final_at: Timestamp | None
    error_code: str | None
    error: str | None
    requested_by: UUID | None
    created_at: Timestamp
    parts_total: int
    parts: list[PartOut]


class LineOut(ResponseModel):
    """One line of a conversation: long messages whole. `complete`: every part has arrived."""

    id: UUID
    at: Timestamp
    direction: SmsDirection
    text: str | None
    hex: str | None
    state: State
    complete: bool
    address: str | None


class TimesQuery(QueryModel):
    """Between two moments, both included."""

    model_config = ConfigDict(extra="ignore")

    since: Timestamp | None = Field(None, alias="from")
    until: Timestamp | None = Field(None, alias="to")

    @model_validator(mode="after")
    def _forwards(self) -> Self:
        if self.since and self.until and self.since > self.until:
            raise ValueError("from is later than to")
        return self


class SmsQuery(TimesQuery):
    """What to list."""

    direction: SmsDirection | None = None
    state: ListedState | None = None

    def filter(self, iccid: str | None) -> SmsFilter:
        return SmsFilter(iccid, self.direction, self.state, self.since, self.until)


class AllSmsQuery(SmsQuery):
    """What to list of all SIMs."""

    iccid: Iccid | None = None


class ConversationQuery(TimesQuery):
    """Which part of the conversation; `sort` `-at` begins with the newest."""

    sort: Literal["at", "-at"] = "at"
