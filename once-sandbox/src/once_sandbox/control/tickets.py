"""/control/tickets: support answers."""

from fastapi import APIRouter

from once_sandbox.control.schemas import Answer
from once_sandbox.deps import CurrentWorld
from once_sandbox.tickets.schemas import ticket_json
from once_sandbox.tickets.service import answer
from once_sandbox.wire import Json

router = APIRouter(prefix="/control/tickets", tags=["Control: support"])


@router.post("/{number}/answer")
async def answer_ticket(number: int, wanted: Answer, world: CurrentWorld) -> Json:
    """Support answers a ticket, and may close it."""
    return ticket_json(answer(world, number, wanted.text, wanted.status))
