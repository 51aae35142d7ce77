"""HTTP: read jobs and their progress, run one now, end one."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from fleet_kit.app import API
from fleet_kit.database import DbSession
from fleet_kit.errors import Conflict, NotFound
from fleet_kit.idempotency import IdempotencyKey
from fleet_kit.openapi import raises
from fleet_kit.pagination import Page, Paging
from fleet_kit.principal import CurrentUser
from sim_service.platform.dependencies import AppSettings
from sim_service.work.jobs.limits import JobLimits
from sim_service.work.jobs.schemas import JobIn, JobOut, JobQuery
from sim_service.work.jobs.service import JobService

router = APIRouter(tags=["jobs"])


@router.get("/jobs")
async def list_jobs(
    user: CurrentUser, session: DbSession, paging: Paging, query: Annotated[JobQuery, Query()]
) -> Page[JobOut]:
    """Jobs, newest first."""
    found = await JobService(session, user.scope).page(query.kind, query.state, paging)
    return found.to_page(lambda job: JobOut.of(job, user), paging)


@router.post("/jobs", status_code=202)
@raises(NotFound)
async def run_job(
    body: JobIn,
    user: CurrentUser,
    session: DbSession,
    limits: JobLimits,
    settings: AppSettings,
    response: Response,
    idempotency: IdempotencyKey,
) -> JobOut:
    """Run a job now: for one's organisation, or for the account. While such a job is open, it is that one.

    For the account it is the last one, if that has ended within SYNC_MIN_SECONDS.
    """
    owner = str(user.organization_id)
    jobs = JobService(session, user.scope, limits)
    before = await idempotency.replay(owner)
    if before is None:
        job = await jobs.run_now(body.kind, user, body.organization_id, pause=settings.sync_min_seconds)
        await idempotency.remember(owner, str(job.id))
    else:
        job = await jobs.get(UUID(before))
    response.headers["Location"] = location(job.id)
    return JobOut.of(job, user)


@router.get("/jobs/{job_id}")
async def read_job(job_id: UUID, user: CurrentUser, session: DbSession) -> JobOut:
    """One job with its progress."""
    return JobOut.of(await JobService(session, user.scope).get(job_id), user)


@router.post("/jobs/{job_id}/cancel")
@raises(Conflict)
async def cancel_job(job_id: UUID, user: CurrentUser, session: DbSession) -> JobOut:
    """End a job: after the part in hand, at once if it has not begun. 409 if it is over.

    A bulk action ends when it is known what became of each SIM that was begun.
    """
    return JobOut.of(await JobService(session, user.scope).cancel(job_id, user), user)


def location(job_id: UUID) -> str:
    return f"{API}/jobs/{job_id}"
