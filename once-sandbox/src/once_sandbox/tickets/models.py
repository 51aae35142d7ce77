"""A ticket and what was said about it."""

from dataclasses import dataclass, field

STATUSES = ("OPEN", "IN_PROGRESS", "CLOSED")


@dataclass(slots=True)
class Communication:
    """One message; `incoming`: from the customer to support."""

    id: int
    at: float
    incoming: bool
    originator: str
    subject: str
    text: str
    type: str = "PORTAL"


@dataclass(slots=True)
class Ticket:
    """One service request."""

    id: int
    subject: str
    text: str
    created_at: float
    status: str = "OPEN"
    solved_at: float | None = None
    communications: list[Communication] = field(default_factory=list)

    def say(self, at: float, *, incoming: bool, originator: str, text: str, type: str) -> None:
        """Add to the conversation."""
        number = len(self.communications) + 1
        self.communications.append(Communication(number, at, incoming, originator, self.subject, text, type))


@dataclass(slots=True)
class Tickets:
    """All tickets by id."""

    by_id: dict[int, Ticket] = field(default_factory=dict)
