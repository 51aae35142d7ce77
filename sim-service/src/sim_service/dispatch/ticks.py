"""When taskiq tells the workers to look at a schedule: at the moment it is due, as Postgres has it."""

from taskiq import ScheduledTask, ScheduleSource

from sim_service.schedules.service import Schedules

SCHEDULE_DUE = "schedule_due"


class Ticks(ScheduleSource):
    """One tick for each next run. Every replica ticks; the first that looks asks for the job."""

    def __init__(self, schedules: Schedules) -> None:
        self._schedules = schedules

    async def get_schedules(self) -> list[ScheduledTask]:
        """The next run of each schedule that is neither paused nor off."""
        return [
            ScheduledTask(
                task_name=SCHEDULE_DUE,
                labels={},
                args=[kind.value],
                kwargs={},
                schedule_id=f"{kind}@{moment.isoformat()}",
                time=moment,
            )
            for kind, moment in (await self._schedules.upcoming()).items()
        ]
