"""HTTP: see, pause and change schedules."""

from typing import Annotated

from fastapi import APIRouter, Depends

from fleet_kit.database import DbSession
from fleet_kit.pagination import Page
from fleet_kit.principal import CurrentUser, PlatformAdmin
from sim_service.platform.dependencies import AppSettings
from sim_service.work.jobs.kinds import default_periods
from sim_service.work.jobs.models import JobKind
from sim_service.work.schedules.schemas import ScheduleIn, ScheduleOut
from sim_service.work.schedules.service import ScheduleService

router = APIRouter(tags=["jobs"])


async def _schedules(session: DbSession, settings: AppSettings) -> ScheduleService:
    return ScheduleService(session, default_periods(settings))


AllSchedules = Annotated[ScheduleService, Depends(_schedules, scope="function")]


@router.get("/jobs/schedules")
async def list_schedules(user: CurrentUser, schedules: AllSchedules) -> Page[ScheduleOut]:
    """How often the worker asks for which jobs; there are few, so one page holds all."""
    items = [ScheduleOut.model_validate(plan) for plan in await schedules.all()]
    return Page(items=items, total=len(items), page=1, page_size=max(1, len(items)))


@router.patch("/jobs/schedules/{kind}")
async def change_schedule(
    kind: JobKind, body: ScheduleIn, user: PlatformAdmin, schedules: AllSchedules
) -> ScheduleOut:
    """Pause a schedule, let it go on, or change its period; workers follow within a minute."""
    values = body.model_dump(exclude_unset=True)
    return ScheduleOut.model_validate(await schedules.change(kind, values, user.user_id))
