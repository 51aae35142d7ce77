"""Tickets as 1NCE writes them."""

from pydantic import BaseModel, Field

from once_sandbox.tickets.models import Communication, Ticket
from once_sandbox.wire import Json, Text, optional_zulu, present, zulu


class NewTicket(BaseModel):
    """A request for help."""

    subject: Text = Field(min_length=1, max_length=500)
    text: Text = Field(min_length=1, max_length=20_000)
    sender: Text = Field(default="", alias="senderName", max_length=255)
    reply_to: Text = Field(default="", alias="replyToMail", max_length=255)


def ticket_json(ticket: Ticket) -> Json:
    """One ticket with its conversation."""
    return present(
        caseId=str(ticket.id),
        subject=ticket.subject,
        text=ticket.text,
        status=ticket.status,
        createDate=zulu(ticket.created_at),
        solvedDate=optional_zulu(ticket.solved_at),
        communications=[_communication(entry) for entry in ticket.communications],
    )


def _communication(entry: Communication) -> Json:
    return {
        "id": str(entry.id),
        "communicationDate": zulu(entry.at),
        "direction": "IN" if entry.incoming else "OUT",
        "originator": entry.originator,
        "subject": entry.subject,
        "text": entry.text,
        "type": entry.type,
    }
