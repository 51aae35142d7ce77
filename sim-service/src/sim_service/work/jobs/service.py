"""The rules of jobs: who may ask for which, how many are open, who may end them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.errors import Forbidden, NotFound, invalid
from fleet_kit.ids import uuid7
from fleet_kit.keyset_pagination import PageResult
from fleet_kit.limits import Limits
from fleet_kit.pagination import PageParams
from fleet_kit.principal import Principal, Role
from fleet_kit.scope import EVERYTHING, Scope
from sim_service.work.jobs.kinds import KINDS, JobScope, Trigger
from sim_service.work.jobs.limits import JOB_ITEMS, JOBS
from sim_service.work.jobs.models import Job, JobKind, JobState
from sim_service.work.jobs.repository import DeletedJob, JobRepository


class JobService:
    """Jobs as a scope sees them; leasing and running them is the runner's.

    `limits`: of organisations, for whoever asks for jobs of one.
    """

    def __init__(
        self, session: AsyncSession, scope: Scope = EVERYTHING, limits: Limits | None = None
    ) -> None:
        self._session, self._limits = session, limits
        self._jobs = JobRepository(session, scope)

    async def request(
        self,
        kind: JobKind,
        requested_by: UUID | None = None,
        *,
        organization_id: UUID | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> Job:
        """A new job for the worker, or the open one where only one may be (then `params` are its own).

        Raises Conflict for an organisation of which too many jobs are kept.
        """
        open_key = None if KINDS[kind].many else f"{kind}/{organization_id or 'account'}"
        while True:
            job = await self._jobs.create(
                id=uuid7(),
                kind=kind,
                requested_by=requested_by,
                organization_id=organization_id,
                open_key=open_key,
                params=dict(params or {}),
            )
            if job is not None:
                if organization_id is not None:
                    assert self._limits is not None, "jobs of an organisation are counted"
                    await self._limits.take(organization_id, JOBS)
                await self._jobs.notify()
                return job
            if open_key is not None and (job := await self._jobs.open(open_key)) is not None:
                return job

    async def request_sync(self, kind: JobKind, user: Principal, *, pause: float) -> Job:
        """A job for the whole account that anybody may ask for: the open one, or the last if it is young.

        `pause`: seconds after its end in which only the platform administrator gets a new one. No limit of
        an organisation counts such jobs, so a loop must not make any.
        """
        if not user.is_admin:
            since = datetime.now(UTC) - timedelta(seconds=pause)
            if pause and (last := await self._jobs.last_finished(kind, since)) is not None:
                return last
        return await self.request(kind, user.user_id)

    async def count_items(self, organization_id: UUID, number: int) -> None:
        """Count what a new job will work on; raises Conflict where that is too much."""
        assert self._limits is not None
        await self._limits.take(organization_id, JOB_ITEMS, number)

    async def run_now(
        self, kind: JobKind, user: Principal, organization_id: UUID | None, *, pause: float
    ) -> Job:
        """A job that somebody asks for; raises Forbidden, NotFound or 422 where they cannot have it.

        `pause`: as in `request_sync`.
        """
        rules = KINDS[kind]
        if rules.trigger is Trigger.INTERNAL:
            raise invalid("kind", "jobs of this kind come from an endpoint of their own")
        owner = user.acts_for(organization_id)
        if rules.trigger is Trigger.PLATFORM:
            _require_platform(user)
        user.require(Role.OPERATOR)
        if rules.scope is JobScope.ACCOUNT and organization_id is not None:
            raise invalid("organization_id", "jobs of this kind are for the whole account")
        if rules.scope is JobScope.ACCOUNT:
            return await self.request_sync(kind, user, pause=pause)
        if rules.scope is JobScope.EITHER and not user.is_admin:
            organization_id = owner
        return await self.request(kind, user.user_id, organization_id=organization_id)

    async def cancel(self, job_id: UUID, user: Principal) -> Job:
        """End a job; raises NotFound, Forbidden, or Conflict if it is over."""
        job = await self.get(job_id, for_update=True)
        if job.organization_id is None:
            _require_platform(user)
        user.require(Role.OPERATOR)
        job.cancel(at_once=not KINDS[JobKind(job.kind)].closes)
        await self._jobs.notify()
        return job

    async def get(self, job_id: UUID, *, for_update: bool = False) -> Job:
        """One job; `for_update` locks its row until the commit. Raises NotFound."""
        job = await self._jobs.get(job_id, for_update=for_update)
        if job is None:
            raise NotFound("no such job", code="JOB_NOT_FOUND")
        return job

    async def page(self, kind: JobKind | None, state: JobState | None, paging: PageParams) -> PageResult[Job]:
        """A page of jobs, newest first."""
        return await self._jobs.page(kind, state, paging)

    async def last_success(self, kind: JobKind) -> datetime | None:
        """Start of the last job of a kind for the whole account that succeeded."""
        return await self._jobs.last_success(kind)

    async def last_request(self, kind: JobKind) -> datetime | None:
        """When a job of a kind for the whole account was last asked for."""
        return await self._jobs.last_request(kind)

    async def delete_older_than(self, before: datetime, limit: int) -> int:
        """Delete at most `limit` finished jobs with their items, but never the last success of a kind."""
        gone = await self._jobs.delete_older_than(before, limit)
        limits = Limits(self._session, {})
        for organization_id, (jobs, items) in sorted(_by_owner(gone).items()):
            await limits.give_back(organization_id, JOBS, jobs)
            await limits.give_back(organization_id, JOB_ITEMS, items)
        return len(gone)


def _by_owner(gone: Sequence[DeletedJob]) -> dict[UUID, tuple[int, int]]:
    """Jobs and their items, of each organisation."""
    counts: dict[UUID, tuple[int, int]] = {}
    for job in gone:
        if job.organization_id is not None:
            jobs, items = counts.get(job.organization_id, (0, 0))
            counts[job.organization_id] = jobs + 1, items + job.items
    return counts


def _require_platform(user: Principal) -> None:
    if not user.is_admin:
        raise Forbidden("jobs of the whole account are the platform administrator's")
