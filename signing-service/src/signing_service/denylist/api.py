"""HTTP inside the fleet: is a token revoked? Asked when Redis cannot tell."""

from fastapi import APIRouter

from fleet_kit.database import DbSession
from signing_service.denylist import service
from signing_service.denylist.schemas import Answer, Question

router = APIRouter(prefix="/tokens")


@router.post("/check")
async def check(question: Question, session: DbSession) -> Answer:
    """The truth about one token."""
    return Answer(revoked=await service.is_revoked(session, question.jti, question.sid))
