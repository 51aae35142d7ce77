"""HTTP: read jobs and their progress."""

from uuid import UUID

from fastapi import APIRouter

from fleet_kit.database import DbSession
from fleet_kit.pagination import Page, Paging
from fleet_kit.principal import CurrentUser, Principal
from sim_service.jobs.models import Job
from sim_service.jobs.schemas import JobOut
from sim_service.jobs.service import JobService

router = APIRouter(tags=["jobs"])


@router.get("/jobs")
async def list_jobs(user: CurrentUser, session: DbSession, paging: Paging) -> Page[JobOut]:
    """Jobs, newest first."""
    found = await JobService(session, user.scope).find(paging)
    return Page(
        items=[shown(job, user) for job in found.jobs],
        total=found.total,
        page=paging.page if paging.cursor is None else None,
        page_size=paging.page_size,
        next_cursor=found.next_cursor,
    )


@router.get("/jobs/{job_id}")
async def read_job(job_id: UUID, user: CurrentUser, session: DbSession) -> JobOut:
    """One job with its progress."""
    return shown(await JobService(session, user.scope).get(job_id), user)


def shown(job: Job, user: Principal) -> JobOut:
    """The job as this user may see it."""
    return JobOut.of(job, with_counts=user.is_admin or job.organization_id is not None)
