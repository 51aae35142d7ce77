"""The worker's side of jobs: lease one, run its handler, renew the lease, record the outcome.

A worker that dies leaves a lease that expires; the next one continues from what the job has written.
"""

import asyncio
from collections.abc import Collection, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import uuid4

import structlog
from prometheus_client import Counter
from sqlalchemy import func
from sqlalchemy.exc import SQLAlchemyError

from fleet_kit.availability import unexpected
from fleet_kit.database import Sessions
from fleet_kit.errors import FleetError
from fleet_kit.scope import EVERYTHING
from sim_service.carrier.errors import CARRIER_UNAVAILABLE_ERRORS
from sim_service.carrier.fair_share import share_of
from sim_service.work.jobs.handle import Deferred, Handler, JobCancelled, JobLease, LeaseLost, WorkersDied
from sim_service.work.jobs.kinds import KINDS
from sim_service.work.jobs.models import Job, JobKind, JobState
from sim_service.work.jobs.repository import JobRepository

log = structlog.get_logger(__name__)

FINISHED = Counter("sim_jobs_total", "Jobs by what became of them.", ["kind", "outcome"])
_MAX_FAILURES = 30
_MAX_BACKOFF_SECONDS = 300.0


class JobRunner:
    """Runs jobs. `lease_seconds`: time without a heartbeat after which another worker takes a job over."""

    def __init__(
        self, sessions: Sessions, handlers: Mapping[JobKind, Handler], *, lease_seconds: float
    ) -> None:
        self._sessions, self._handlers = sessions, handlers
        self._lease_time = timedelta(seconds=lease_seconds)
        self._worker, self._numbers = uuid4().hex, count()

    async def once(self) -> bool:
        """Lease a due job of any kind and run it; False if there is none."""
        lease = await self.take(tuple(JobKind))
        if lease is not None:
            await self.run(lease)
        return lease is not None

    async def take(self, kinds: Collection[JobKind]) -> JobLease | None:
        """Lease the oldest due job of these kinds, if there is one."""
        # Each lease has a name of its own: a job that comes back to this process is another lease.
        worker = f"{self._worker}-{next(self._numbers)}"
        async with self._sessions.begin() as session:
            job = await JobRepository(session, EVERYTHING).take(worker, self._lease_time, kinds)
        if job is None:
            return None
        log.info("job leased", job_id=str(job.id), kind=job.kind, done=job.done)
        owner, kind = job.organization_id, JobKind(job.kind)
        return JobLease(
            job.id, kind, worker, self._sessions, owner, job.requested_by, job.params, job.done, job.failures
        )

    async def run(self, lease: JobLease) -> None:
        try:
            if lease.failures >= _MAX_FAILURES:
                raise WorkersDied
            await self._run_with_heartbeat(lease)
        except Deferred as deferred:
            due = datetime.now(UTC) + timedelta(seconds=deferred.seconds)
            await self._write(lease, leased_until=None, due_at=due, failures=0)
        except JobCancelled:
            await self._finish(lease, JobState.CANCELLED)
        except LeaseLost:
            log.warning("job lost to another worker", job_id=str(lease.id))
        except asyncio.CancelledError:
            await self._give_back(lease)
            raise
        except Exception as error:
            await self._fail(lease, error)
        else:
            await self._finish(lease, JobState.SUCCEEDED)

    async def _run_with_heartbeat(self, lease: JobLease) -> None:
        """Run the handler until it ends or the lease is lost, whichever comes first."""
        with share_of(lease.organization_id):
            work = asyncio.ensure_future(self._handlers[lease.kind](lease))
        heartbeat = asyncio.create_task(self._heartbeat(lease))
        try:
            await asyncio.wait({work, heartbeat}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                raise LeaseLost
            await work
        finally:
            for task in (work, heartbeat):
                task.cancel()
                with suppress(asyncio.CancelledError, Exception):
                    await task

    async def _heartbeat(self, lease: JobLease) -> None:
        """Renew the lease; returns when it is lost."""
        while True:
            await asyncio.sleep(self._lease_time.total_seconds() / 3)
            try:
                if not await self._write(lease, leased_until=func.now() + self._lease_time):
                    return
            except (SQLAlchemyError, OSError, TimeoutError) as error:
                log.warning("lease not renewed, trying again", error=repr(error), exc_info=unexpected(error))

    async def _finish(self, lease: JobLease, state: JobState) -> None:
        if await self._write(lease, state=state, finished_at=datetime.now(UTC), error=None):
            FINISHED.labels(lease.kind, state).inc()

    async def _fail(self, lease: JobLease, error: Exception) -> None:
        try:
            async with self._sessions.begin() as session:
                job = await lease.lock_job(session, finish_part=True)
                _record_failure(job, error)
                outcome = str(job.state)
        except LeaseLost:
            return
        FINISHED.labels(lease.kind, outcome).inc()
        trace = None if isinstance(error, FleetError) else error
        log.warning(
            "job failed", job_id=str(lease.id), outcome=outcome, error=_describe(error), exc_info=trace
        )

    async def _give_back(self, lease: JobLease) -> None:
        """This process stops: the next worker need not wait for the lease to expire."""
        with suppress(SQLAlchemyError, OSError, TimeoutError):
            await self._write(lease, notify=True, leased_until=None, state=JobState.QUEUED)

    async def _write(self, lease: JobLease, *, notify: bool = False, **values: object) -> bool:
        async with self._sessions.begin() as session:
            jobs = JobRepository(session, EVERYTHING)
            if notify:
                await jobs.notify()
            return await jobs.update_leased(lease.id, lease.worker, values)


def _record_failure(job: Job, error: Exception) -> None:
    """Queue the job again with a backoff, or end it where another attempt is useless."""
    job.failures += 1
    job.error = _describe(error)
    job.leased_until = None
    now, cancelled = datetime.now(UTC), job.cancel_requested_at is not None
    given_up = _is_permanent(error) or job.failures >= _MAX_FAILURES
    if given_up or (cancelled and not KINDS[JobKind(job.kind)].closes):
        job.state = JobState.CANCELLED if cancelled else JobState.FAILED
        job.finished_at = now
    else:
        backoff = min(_MAX_BACKOFF_SECONDS, 2.0 ** min(job.failures, 10))
        job.state, job.due_at = JobState.QUEUED, now + timedelta(seconds=backoff)


def _is_permanent(error: Exception) -> bool:
    """Business errors that no repetition cures; an unexpected one may be cured by a fixed release."""
    return isinstance(error, FleetError) and not isinstance(error, CARRIER_UNAVAILABLE_ERRORS)


def _describe(error: Exception) -> str:
    if isinstance(error, FleetError):
        return f"{error.code}: {error.message}"
    return f"unexpected: {type(error).__name__}"
