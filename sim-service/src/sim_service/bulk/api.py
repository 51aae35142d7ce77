"""HTTP: one action for many SIMs."""

from uuid import UUID

from fastapi import APIRouter, Response

from fleet_kit.database import DbSession
from fleet_kit.errors import NotFound
from fleet_kit.idempotency import IdempotencyKey
from fleet_kit.openapi import raises
from fleet_kit.principal import CurrentOperator
from sim_service.bulk.schemas import BulkIn
from sim_service.bulk.service import BulkService
from sim_service.platform.dependencies import AppSettings
from sim_service.work.jobs.api import location
from sim_service.work.jobs.limits import JobLimits
from sim_service.work.jobs.schemas import JobOut
from sim_service.work.jobs.service import JobService

router = APIRouter(tags=["sims"])


@router.post("/sims/bulk", status_code=202)
@raises(NotFound)
async def ask_bulk(
    body: BulkIn,
    user: CurrentOperator,
    session: DbSession,
    limits: JobLimits,
    settings: AppSettings,
    idempotency: IdempotencyKey,
    response: Response,
) -> JobOut:
    """Do one thing to many SIMs: a job, with what became of each SIM under /jobs/{id}/items.

    Send an Idempotency-Key: repeated with it, the request finds its job instead of making another.
    """
    owner = str(user.organization_id)
    before = await idempotency.replay(owner)
    if before is None:
        bulk = BulkService(session, limits, most=settings.bulk_most_sims, most_parts=settings.sms_most_parts)
        job = await bulk.request(body, user)
        await idempotency.remember(owner, str(job.id))
    else:
        job = await JobService(session, user.scope).get(UUID(before))
    response.headers["Location"] = location(job.id)
    return JobOut.of(job, user)
