"""HTTP inside the fleet: is a token revoked? Asked when Redis cannot tell."""

from fastapi import APIRouter

from fleet_kit.database import DbSession
from signing_service.denylist import service
from signing_service.denylist.schemas import RevocationCheck, RevocationStatus

router = APIRouter(prefix="/tokens")


@router.post("/check")
async def check(question: RevocationCheck, session: DbSession) -> RevocationStatus:
    """The truth about one token."""
    return RevocationStatus(revoked=await service.is_revoked(session, question.jti, question.sid))
