"""HTTP shapes of schedules."""

from typing import Annotated

from pydantic import Field

from fleet_kit.schemas import ResponseModel, StrictModel, Timestamp
from sim_service.jobs.models import JobKind

LONGEST_PERIOD_SECONDS = 31 * 86_400


class ScheduleOut(ResponseModel):
    """How often jobs of a kind are asked for; `every_seconds` 0: not at all, nor while `paused`."""

    kind: JobKind
    every_seconds: float
    default_every_seconds: float
    paused: bool
    last_requested_at: Timestamp | None
    next_at: Timestamp | None


class ScheduleIn(StrictModel):
    """What to change; `every_seconds` null: as the settings say, 0: not at all."""

    paused: bool | None = None
    every_seconds: Annotated[float | None, Field(ge=0, le=LONGEST_PERIOD_SECONDS)] = None
