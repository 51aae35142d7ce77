"""Starts due jobs in this process: woken by Postgres when a job is committed, and by a poll beside it."""

import asyncio
from collections.abc import Collection

import structlog
from prometheus_client import Counter
from sqlalchemy.exc import SQLAlchemyError

from fleet_kit.availability import unexpected
from fleet_kit.notifications import Notifications
from sim_service.work.jobs.handle import JobLease
from sim_service.work.jobs.kinds import LONG, OTHERS, STEPWISE
from sim_service.work.jobs.models import JobKind
from sim_service.work.jobs.runner import JobRunner

log = structlog.get_logger(__name__)

DISPATCHED = Counter("sim_jobs_dispatched_total", "Jobs started, by what had woken the worker.", ["way"])
POLL_SECONDS = 1.0
"""Jobs that become due by themselves (deferred, retried, left by a dead worker) wait for a poll."""

STEPWISE_SLOTS = 64
"""Stepwise jobs of a worker: they mostly wait for their turn, which costs little."""


class JobDispatcher:
    """Runs at most `slots` long jobs at once, as many others beside them, and many stepwise ones.

    Replicas need no agreement: jobs are leased with SKIP LOCKED, and a worker without a free slot leases
    none.
    """

    def __init__(
        self,
        runner: JobRunner,
        notifications: Notifications,
        *,
        slots: int,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self._runner, self._notifications = runner, notifications
        self._poll = poll_seconds
        self._slots: dict[Collection[JobKind], int] = {LONG: slots, OTHERS: slots, STEPWISE: STEPWISE_SLOTS}
        self._running: dict[Collection[JobKind], set[asyncio.Task[None]]] = {
            one: set() for one in self._slots
        }

    async def run(self) -> None:
        """Run until cancelled; then the jobs in hand are given back, for another process to go on with."""
        try:
            async with self._notifications.listening():
                way = "poll"
                while True:
                    await self._start_due(way)
                    way = "notification" if await self._notifications.wait(self._poll) else "poll"
        finally:
            await self._cancel_running()

    async def _start_due(self, way: str) -> None:
        """Lease jobs while there are free slots; a database that is unavailable is waited for."""
        try:
            for kinds, running in self._running.items():
                while (
                    len(running) < self._slots[kinds]
                    and (lease := await self._runner.take(kinds)) is not None
                ):
                    DISPATCHED.labels(way).inc()
                    self._start(lease, running)
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            log.warning("no job started, trying again", error=repr(error), exc_info=unexpected(error))

    def _start(self, lease: JobLease, running: set[asyncio.Task[None]]) -> None:
        def free_slot(task: asyncio.Task[None]) -> None:
            running.discard(task)
            self._notifications.wake()

        task = asyncio.create_task(self._run_job(lease))
        running.add(task)
        task.add_done_callback(free_slot)

    async def _run_job(self, lease: JobLease) -> None:
        try:
            await self._runner.run(lease)
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            # The outcome could not be written: the lease expires, and the job is run again.
            reason = repr(error)
            log.warning("outcome not written", job_id=str(lease.id), error=reason, exc_info=unexpected(error))

    async def _cancel_running(self) -> None:
        tasks = [task for running in self._running.values() for task in running]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
