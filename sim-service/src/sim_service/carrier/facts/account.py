"""The account as a whole: support tickets and limits."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class TicketEntry:
    """One message of a ticket's conversation; `incoming` as the carrier sees it: written by us."""

    id: str
    at: datetime | None
    incoming: bool
    author: str | None
    text: str
    subject: str | None = None


@dataclass(frozen=True, slots=True)
class CarrierTicket:
    """A request for help at the carrier, with its conversation, oldest first."""

    id: str
    subject: str
    text: str
    status: str
    created_at: datetime | None = None
    solved_at: datetime | None = None
    entries: tuple[TicketEntry, ...] = ()


@dataclass(frozen=True, slots=True)
class TicketToOpen:
    """A new request for help."""

    subject: str
    text: str
    sender: str
    reply_to: str


@dataclass(frozen=True, slots=True)
class VolumeLimit:
    """A monthly limit of the whole account; `unit` is MB or SMS."""

    id: int
    value: Decimal
    unit: str


@dataclass(frozen=True, slots=True)
class VolumeLimits:
    """The account's monthly limits; None: no limit."""

    data: VolumeLimit | None = None
    sms_mo: VolumeLimit | None = None
    sms_mt: VolumeLimit | None = None
