"""The worker's side of jobs: lease one, work, show signs of life, finish or give it back.

A worker that dies leaves a lease that runs out; the next one goes on from what the job has written. Every
write of a job checks the lease in the same transaction, so a worker that lost it cannot write any more.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID, uuid4

import structlog
from prometheus_client import Counter
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.database import Sessions
from fleet_kit.errors import FleetError
from fleet_kit.scope import EVERYTHING, Scope
from sim_service.carrier.errors import CarrierAway
from sim_service.jobs.kinds import KINDS
from sim_service.jobs.models import Job, JobKind, JobState
from sim_service.jobs.repository import JobRepository

log = structlog.get_logger(__name__)

FINISHED = Counter("sim_jobs_total", "Jobs by what became of them.", ["kind", "outcome"])
_MOST_FAILURES = 30
_LONGEST_BACKOFF_SECONDS = 300.0


class LeaseLost(Exception):
    """Another worker has the job now."""


class JobCancelled(Exception):
    """Somebody ended the job; what its handler has not yet begun is left undone."""


class PutOff(Exception):
    """The handler has to wait for something: it is called again in so many seconds, and holds no place."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"put off by {seconds} s")
        self.seconds = seconds


@dataclass(frozen=True, slots=True)
class Held:
    """A job in this worker's hands. `organization_id` None: it covers the whole account."""

    id: UUID
    worker: str
    sessions: Sessions
    organization_id: UUID | None = None
    requested_by: UUID | None = None
    params: Mapping[str, Any] = field(default_factory=dict)

    @property
    def scope(self) -> Scope:
        """What the job's queries may see."""
        return Scope(self.organization_id)

    async def in_transaction(self, session: AsyncSession, *, finish_part: bool = False) -> Job:
        """The job, locked in the transaction that writes for it; raises LeaseLost.

        Raises JobCancelled too, unless `finish_part` says that a part begun earlier is being noted.
        """
        job = await JobRepository(session, EVERYTHING).held(self.id, self.worker)
        if job is None:
            raise LeaseLost
        if job.cancel_requested_at is not None and not finish_part:
            raise JobCancelled
        job.failures = 0
        return job

    async def one_done(self, counts: Mapping[str, int]) -> None:
        """Note that another one of many is done, and what became of it."""
        async with self.sessions.begin() as session:
            job = await self.in_transaction(session)
            job.done += 1
            job.count(**counts)

    async def pages(self, session: AsyncSession) -> set[int]:
        """Numbers of the pages that are done."""
        return set(await JobRepository(session, EVERYTHING).pages(self.id))

    async def page_done(self, session: AsyncSession, page: int, iccids: Sequence[str]) -> None:
        """Note a page as done, in the transaction that wrote what was on it."""
        await JobRepository(session, EVERYTHING).add_page(self.id, page, iccids)

    async def drop_pages(self, session: AsyncSession) -> None:
        """Forget the notes when all is done."""
        await JobRepository(session, EVERYTHING).drop_pages(self.id)


Handler = Callable[[Held], Awaitable[None]]


class JobRunner:
    """Works on jobs. `lease`: seconds without a sign of life until another may take one over."""

    def __init__(self, sessions: Sessions, handlers: Mapping[JobKind, Handler], *, lease: float) -> None:
        self._sessions, self._handlers = sessions, handlers
        self._lease = timedelta(seconds=lease)
        self._worker, self._turn = uuid4().hex, count()

    async def once(self, job_id: UUID | None = None) -> bool:
        """Take a job that is due, or this one, and work on it; False if there is none to take."""
        worker = f"{self._worker}-{next(self._turn)}"
        async with self._sessions.begin() as session:
            until = datetime.now(UTC) + self._lease
            job = await JobRepository(session, EVERYTHING).take(worker, until, job_id)
        if job is None:
            return False
        held = Held(job.id, worker, self._sessions, job.organization_id, job.requested_by, job.params)
        log.info("job taken", job_id=str(job.id), kind=job.kind, done=job.done)
        try:
            await self._work(JobKind(job.kind), held)
        except PutOff as later:
            due = datetime.now(UTC) + timedelta(seconds=later.seconds)
            await self._write(held, leased_until=None, due_at=due, failures=0)
        except JobCancelled:
            await self._over(held, job.kind, JobState.CANCELLED)
        except LeaseLost:
            log.warning("job lost to another worker", job_id=str(job.id))
        except asyncio.CancelledError:
            await self._give_back(held)
            raise
        except Exception as error:
            await self._failed(held, job.kind, error)
        else:
            await self._over(held, job.kind, JobState.SUCCEEDED)
        return True

    async def _work(self, kind: JobKind, held: Held) -> None:
        work = asyncio.ensure_future(self._handlers[kind](held))
        beat = asyncio.create_task(self._beat(held))
        try:
            await asyncio.wait({work, beat}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                raise LeaseLost
            await work
        finally:
            for task in (work, beat):
                task.cancel()
                with suppress(asyncio.CancelledError, Exception):
                    await task

    async def _beat(self, held: Held) -> None:
        """Renew the lease; returns when it is lost."""
        while True:
            await asyncio.sleep(self._lease.total_seconds() / 3)
            try:
                if not await self._write(held, leased_until=datetime.now(UTC) + self._lease):
                    return
            except (SQLAlchemyError, OSError, TimeoutError) as error:
                log.warning("lease not renewed, trying again", error=repr(error))

    async def _over(self, held: Held, kind: str, state: JobState) -> None:
        await self._write(held, state=state, finished_at=datetime.now(UTC), error=None)
        FINISHED.labels(kind, str(state)).inc()

    async def _failed(self, held: Held, kind: str, error: Exception) -> None:
        async with self._sessions.begin() as session:
            job = await JobRepository(session, EVERYTHING).held(held.id, held.worker)
            if job is None:
                return
            job.failures += 1
            job.error = _in_words(error)
            job.leased_until = None
            ended = job.cancel_requested_at is not None
            given_up = _hopeless(error) or job.failures >= _MOST_FAILURES
            if given_up or (ended and not KINDS[JobKind(kind)].closes):
                job.state = JobState.CANCELLED if ended else JobState.FAILED
                job.finished_at = datetime.now(UTC)
            else:
                backoff = min(_LONGEST_BACKOFF_SECONDS, 2.0 ** min(job.failures, 10))
                job.state, job.due_at = JobState.QUEUED, datetime.now(UTC) + timedelta(seconds=backoff)
            outcome = str(job.state)
        FINISHED.labels(kind, outcome).inc()
        unexpected = None if isinstance(error, FleetError) else error
        log.warning(
            "job failed", job_id=str(held.id), outcome=outcome, error=_in_words(error), exc_info=unexpected
        )

    async def _give_back(self, held: Held) -> None:
        """Stopped in the middle: the next worker need not wait for the lease to run out."""
        with suppress(SQLAlchemyError, OSError, TimeoutError):
            await self._write(held, leased_until=None, announced_at=None, state=JobState.QUEUED)

    async def _write(self, held: Held, **values: object) -> bool:
        async with self._sessions.begin() as session:
            return await JobRepository(session, EVERYTHING).change_held(held.id, held.worker, dict(values))


def _hopeless(error: Exception) -> bool:
    """Business errors that no repetition cures; an unexpected one may be cured by a fixed release."""
    return isinstance(error, FleetError) and not isinstance(error, CarrierAway)


def _in_words(error: Exception) -> str:
    if isinstance(error, FleetError):
        return f"{error.code}: {error.message}"
    return f"unexpected: {type(error).__name__}"
