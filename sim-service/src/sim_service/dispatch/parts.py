"""The running parts that together give out jobs and work on them."""

from collections.abc import Mapping
from functools import partial

from fleet_kit.database import Sessions
from fleet_kit.worker import Job, every
from sim_service.dispatch.hints import Hints, Receivers
from sim_service.dispatch.pool import JobPool
from sim_service.dispatch.service import Dispatcher
from sim_service.dispatch.ticks import Ticks
from sim_service.jobs.kinds import default_periods
from sim_service.jobs.runner import JobRunner
from sim_service.schedules.service import Schedules
from sim_service.settings import Settings

_SCHEDULE_SECONDS = 30
"""Schedules are told of when they are due; where nobody hears that, they are looked at this often."""


def dispatching(settings: Settings, sessions: Sessions, runner: JobRunner, name: str) -> Mapping[str, Job]:
    """What a worker has to run, by name."""
    schedules = Schedules(sessions, default_periods(settings))
    pool = JobPool(runner, settings.jobs_parallel)
    hints = Hints(
        settings.amqp_url.get_secret_value(),
        Receivers(pool.offer, schedules.look),
        Ticks(schedules),
        name=name,
        timeout_seconds=settings.publish_timeout_seconds,
    )
    return {
        "hints": hints.run,
        "dispatch": Dispatcher(sessions, hints, pool).run,
        "jobs": pool.run,
        "schedule": partial(every, _SCHEDULE_SECONDS, schedules.look, name="schedule"),
    }
