"""HTTP: codes with which organisations claim SIMs. For the platform administrator."""

from uuid import UUID

from fastapi import APIRouter, Response

from fleet_kit.database import DbSession
from fleet_kit.errors import Conflict, NotFound
from fleet_kit.openapi import raises
from fleet_kit.pagination import Page, Paging
from fleet_kit.principal import PlatformAdmin
from sim_service.provisioning.claim_codes.schemas import ClaimCodeIn, ClaimCodeOut, NewClaimCodeOut
from sim_service.provisioning.claim_codes.service import ClaimCodeService

router = APIRouter(prefix="/sims/claim-codes", tags=["sims"])


@router.post("", status_code=201)
@raises(NotFound, Conflict)
async def issue_claim_code(
    body: ClaimCodeIn, user: PlatformAdmin, session: DbSession, response: Response
) -> NewClaimCodeOut:
    """A code for SIMs that nobody owns; its text is in this answer and nowhere else."""
    code, text = await ClaimCodeService(session).issue(body, user)
    response.headers["Cache-Control"] = "no-store"
    return NewClaimCodeOut(**ClaimCodeOut.model_validate(code).model_dump(), code=text)


@router.get("")
async def list_claim_codes(_: PlatformAdmin, session: DbSession, paging: Paging) -> Page[ClaimCodeOut]:
    """Codes, newest first, and who used them."""
    return (await ClaimCodeService(session).page(paging)).to_page(ClaimCodeOut.model_validate, paging)


@router.delete("/{code_id}", status_code=204)
async def revoke_claim_code(code_id: UUID, _: PlatformAdmin, session: DbSession) -> None:
    """Take a code back; SIMs that were claimed with it stay where they are."""
    await ClaimCodeService(session).revoke(code_id)
