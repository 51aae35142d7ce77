"""Short messages."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class SmsDirection(StrEnum):
    """MT: to the SIM. MO: from the SIM."""

    MT = "mt"
    MO = "mo"


class SmsState(StrEnum):
    """Where a message is; DELIVERED, FAILED and EXPIRED are final."""

    PENDING = "pending"
    BUFFERED = "buffered"
    DELIVERED = "delivered"
    FAILED = "failed"
    EXPIRED = "expired"
    UNKNOWN = "unknown"


class SmsCoding(StrEnum):
    """TEXT: GSM 7-bit; UCS2: 16-bit characters; BINARY: the payload is hexadecimal."""

    TEXT = "text"
    UCS2 = "ucs2"
    BINARY = "binary"


@dataclass(frozen=True, slots=True)
class SmsToSend:
    """At most 140 bytes with `udh`, hexadecimal as BINARY payloads are. `source`: digits or 11 characters."""

    payload: str
    coding: SmsCoding = SmsCoding.TEXT
    source: str | None = None
    udh: str = ""
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class CarrierSms:
    id: str
    iccid: str
    direction: SmsDirection
    state: SmsState
    payload: str = ""
    coding: SmsCoding = SmsCoding.TEXT
    udh: str = ""
    source: str | None = None
    destination: str | None = None
    submitted_at: datetime | None = None
    delivered_at: datetime | None = None
    final_at: datetime | None = None
    expires_at: datetime | None = None

    def has_content(self, coding: SmsCoding, udh: str, payload: str) -> bool:
        """Whether it is a message of this content; hexadecimal digits may come back in another case."""
        if (self.coding, self.udh.upper()) != (coding, udh.upper()):
            return False
        if coding is SmsCoding.BINARY:
            return self.payload.upper() == payload.upper()
        return self.payload == payload
