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

    def has_content(self, subject: str, text: str) -> bool:
        """Whether it was opened with these words; space around them may be lost on the way."""
        return (self.subject.strip(), self.text.strip()) == (subject.strip(), text.strip())


@dataclass(frozen=True, slots=True)
class TicketToOpen:
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
