"""HTTP shapes of support tickets."""

from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, EmailStr, Field

from fleet_kit.schemas import LineText, ResponseModel, StrictModel, Text, Timestamp
from sim_service.carrier.freshness import age_seconds
from sim_service.messages.tickets.models import SupportTicket


def _visible(value: str) -> str:
    if not value.strip():
        raise ValueError("must not be blank")
    return value


class TicketIn(StrictModel):
    """A request for help. The carrier answers to `reply_to`, which is one's own address.

    The platform administrator may name another.
    """

    subject: Annotated[LineText, Field(min_length=1, max_length=200), AfterValidator(_visible)]
    text: Annotated[Text, Field(min_length=1, max_length=10_000), AfterValidator(_visible)]
    reply_to: EmailStr | None = Field(None, max_length=255)


class TicketOut(ResponseModel):
    """A ticket. `number` is the carrier's, None until its list shows it (`opening`, `unknown`, `failed`)."""

    id: UUID
    number: str | None
    organization_id: UUID | None
    subject: str
    text: str
    status: str
    entries: int
    reply_to: str | None
    requested_by: UUID | None
    created_at: Timestamp
    solved_at: Timestamp | None
    synced_at: Timestamp
    age_seconds: float

    @classmethod
    def of(cls, ticket: SupportTicket) -> "TicketOut":
        made = {"number": ticket.carrier_id, "age_seconds": age_seconds(ticket.synced_at)}
        shown = {name: getattr(ticket, name) for name in cls.model_fields if name not in made}
        return cls(**shown, **made)


class EntryOut(ResponseModel):
    """One message of the conversation; `from_us`: written by us, not by the carrier's support."""

    number: int
    at: Timestamp | None
    from_us: bool
    author: str | None
    subject: str | None
    text: str
