"""Some jobs at a time in one process."""

import asyncio
from collections.abc import Collection, Mapping
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError

from sim_service.jobs.kinds import LONG, OTHERS
from sim_service.jobs.models import JobKind
from sim_service.jobs.runner import JobRunner

log = structlog.get_logger(__name__)


class JobPool:
    """Works on at most `slots` long jobs at once, and on as many others beside them."""

    def __init__(self, runner: JobRunner, slots: int) -> None:
        self._runner, self._slots = runner, slots
        self._tasks: dict[Collection[JobKind], set[asyncio.Task[None]]] = {LONG: set(), OTHERS: set()}

    @property
    def room(self) -> Mapping[Collection[JobKind], int]:
        """How many more jobs it would take, of which kinds."""
        return {kinds: self._slots - len(tasks) for kinds, tasks in self._tasks.items()}

    def offer(self, job_id: UUID, kind: JobKind) -> bool:
        """Begin with a job if there is room."""
        tasks = self._tasks[LONG if kind in LONG else OTHERS]
        if len(tasks) >= self._slots:
            return False
        task = asyncio.create_task(self._work(job_id))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        return True

    async def run(self) -> None:
        """Until cancelled; then what is in hand is given back, for another process to go on with."""
        try:
            await asyncio.Event().wait()
        finally:
            tasks = [task for tasks in self._tasks.values() for task in tasks]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _work(self, job_id: UUID) -> None:
        try:
            await self._runner.once(job_id)
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            log.warning("the database is away", job_id=str(job_id), error=repr(error))
