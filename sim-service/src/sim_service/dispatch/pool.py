"""Some jobs at a time in one process."""

import asyncio
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError

from sim_service.jobs.runner import JobRunner

log = structlog.get_logger(__name__)


class JobPool:
    """Works on at most `slots` jobs at once."""

    def __init__(self, runner: JobRunner, slots: int) -> None:
        self._runner, self._slots = runner, slots
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def free(self) -> int:
        """How many more jobs it would take."""
        return self._slots - len(self._tasks)

    def offer(self, job_id: UUID) -> bool:
        """Begin with a job if there is room."""
        if self.free <= 0:
            return False
        task = asyncio.create_task(self._work(job_id))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    async def run(self) -> None:
        """Until cancelled; then what is in hand is given back, for another process to go on with."""
        try:
            await asyncio.Event().wait()
        finally:
            tasks = list(self._tasks)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _work(self, job_id: UUID) -> None:
        try:
            await self._runner.once(job_id)
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            log.warning("the database is away", job_id=str(job_id), error=repr(error))
