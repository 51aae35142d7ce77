from typing import Annotated

from pydantic import AfterValidator, Field

from fleet_kit.schemas import ResponseModel, StrictModel, Timestamp
from sim_service.work.jobs.models import JobKind

SHORTEST_PERIOD_SECONDS, LONGEST_PERIOD_SECONDS = 1, 31 * 86_400


def _check_period(seconds: float) -> float:
    if 0 < seconds < SHORTEST_PERIOD_SECONDS:
        raise ValueError(f"must be 0 or at least {SHORTEST_PERIOD_SECONDS}")
    return seconds


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
    every_seconds: (
        Annotated[float, Field(ge=0, le=LONGEST_PERIOD_SECONDS), AfterValidator(_check_period)] | None
    ) = None
