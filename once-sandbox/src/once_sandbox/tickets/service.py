"""Opening, answering and closing tickets."""

from once_sandbox.errors import ApiError
from once_sandbox.tickets.models import Ticket
from once_sandbox.tickets.schemas import NewTicket
from once_sandbox.world import World


def open_ticket(world: World, wanted: NewTicket) -> Ticket:
    """A new ticket."""
    now, number = world.clock.now(), 11 + len(world.tickets.by_id) + 1
    ticket = Ticket(id=number, subject=wanted.subject, text=wanted.text, created_at=now)
    ticket.say(
        now,
        incoming=True,
        originator=wanted.sender or wanted.reply_to or "Customer",
        text=wanted.text,
        type="PORTAL",
    )
    world.tickets.by_id[number] = ticket
    return ticket


def answer(world: World, number: int, text: str, status: str) -> Ticket:
    """Support answers; raises ApiError 404."""
    ticket = world.tickets.by_id.get(number)
    if ticket is None:
        raise ApiError(404, f"ticket {number} not found")
    now = world.clock.now()
    if text:
        ticket.say(now, incoming=False, originator="1NCE Support", text=text, type="MAIL_OUT")
    ticket.status = status
    ticket.solved_at = (ticket.solved_at or now) if status == "CLOSED" else None
    return ticket


def newest_first(world: World) -> list[Ticket]:
    """All tickets."""
    return list(world.tickets.by_id.values())[::-1]
