"""How many policies an organisation may have."""

from typing import Annotated

from fastapi import Depends, Request

from fleet_kit.database import DbSession
from fleet_kit.limits import Defaults, Limits, limits_router
from sim_service.settings import Settings
from sim_service.work.jobs.limits import job_limits

POLICIES = "policies"


def policy_limits(settings: Settings) -> Defaults:
    return {POLICIES: settings.policies_per_organization}


def _defaults_of(request: Request) -> Defaults:
    return policy_limits(request.app.state.settings)


async def _limits(request: Request, session: DbSession) -> Limits:
    settings = request.app.state.settings
    return Limits(session, {**policy_limits(settings), **job_limits(settings)})


PolicyLimits = Annotated[Limits, Depends(_limits)]
"""Of policies, and of the jobs that evaluate them."""
router = limits_router("/topup-policies/limits", _defaults_of)
