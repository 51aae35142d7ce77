"""How many jobs of an organisation are kept, and how many SIMs in them."""

from typing import Annotated

from fastapi import Depends, Request

from fleet_kit.database import DbSession
from fleet_kit.limits import Defaults, Limits, limits_router
from sim_service.settings import JobSettings

JOBS, JOB_ITEMS = "jobs", "job_items"


def job_limits(settings: JobSettings) -> Defaults:
    return {JOBS: settings.jobs_per_organization, JOB_ITEMS: settings.job_items_per_organization}


def _defaults_of(request: Request) -> Defaults:
    return job_limits(request.app.state.settings)


async def _limits(request: Request, session: DbSession) -> Limits:
    return Limits(session, _defaults_of(request))


JobLimits = Annotated[Limits, Depends(_limits)]
router = limits_router("/jobs/limits", _defaults_of)
