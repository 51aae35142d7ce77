"""A job that this worker has leased, as its handler sees it.

Progress is written in transactions that lock the job's row and check the lease: a worker that lost its lease
cannot record any more.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.database import Sessions
from fleet_kit.scope import EVERYTHING, Scope
from sim_service.work.failures import SKIPPABLE_ERRORS, failure_counter
from sim_service.work.jobs.models import Job, JobKind
from sim_service.work.jobs.repository import JobRepository

Part = TypeVar("Part")


class LeaseLost(Exception):
    """Another worker has the job now."""


class WorkersDied(Exception):
    """So many workers died with this job that it is not tried again."""


class JobCancelled(Exception):
    """Somebody cancelled the job; what its handler has not yet begun is left undone."""


class Deferred(Exception):
    """The handler has to wait: it is called again after `seconds`, and occupies no slot meanwhile."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"deferred by {seconds} s")
        self.seconds = seconds


@dataclass(frozen=True, slots=True)
class JobLease:
    """A leased job. `worker` names the lease; `organization_id` None: it covers the whole account.

    `done`, `failures`: the job's progress when it was leased, and how often it has failed since it got on.
    """

    id: UUID
    kind: JobKind
    worker: str
    sessions: Sessions
    organization_id: UUID | None = None
    requested_by: UUID | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    done: int = 0
    failures: int = 0

    @property
    def scope(self) -> Scope:
        return Scope(self.organization_id)

    async def lock_job(self, session: AsyncSession, *, finish_part: bool = False) -> Job:
        """The job, locked in the transaction that writes for it; raises LeaseLost.

        Raises JobCancelled too, unless `finish_part` says that a part begun earlier is being recorded.
        """
        job = await JobRepository(session, EVERYTHING).leased(self.id, self.worker)
        if job is None:
            raise LeaseLost
        if job.cancel_requested_at is not None and not finish_part:
            raise JobCancelled
        if job.done > self.done:
            job.failures = 0
        return job

    async def do_each(
        self, parts: Iterable[Part], do: Callable[[Part], Awaitable[Mapping[str, int]]]
    ) -> None:
        """Do parts one by one, adding their counts to the result; what spoils one alone is only counted."""
        for part in parts:
            try:
                counts = await do(part)
            except SKIPPABLE_ERRORS as error:
                counts = {failure_counter(error): 1}
            async with self.sessions.begin() as session:
                job = await self.lock_job(session)
                job.done += 1
                job.count(**counts)


Handler = Callable[[JobLease], Awaitable[None]]
