"""HTTP: what became of each SIM of a job."""

from uuid import UUID

from fastapi import APIRouter

from fleet_kit.database import DbSession
from fleet_kit.pagination import Page, Paging
from fleet_kit.principal import CurrentUser
from sim_service.work.job_items.models import ItemState
from sim_service.work.job_items.schemas import JobItemOut
from sim_service.work.job_items.service import JobItemService

router = APIRouter(tags=["jobs"])


@router.get("/jobs/{job_id}/items")
async def list_items(
    job_id: UUID, user: CurrentUser, session: DbSession, paging: Paging, state: ItemState | None = None
) -> Page[JobItemOut]:
    """The SIMs of a job in their order, with the result of each."""
    found = await JobItemService(session, user.scope).find(job_id, state, paging)
    return found.to_page(JobItemOut.model_validate, paging)
