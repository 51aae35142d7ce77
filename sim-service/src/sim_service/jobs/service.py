"""The rules of jobs: who may ask for which, how many are open, who may end them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.errors import Forbidden, NotFound, invalid
from fleet_kit.ids import uuid7
from fleet_kit.keyset import Found
from fleet_kit.pagination import PageParams
from fleet_kit.principal import Principal, Role
from fleet_kit.scope import EVERYTHING, Scope
from sim_service.jobs.kinds import KINDS, Asker, Reach
from sim_service.jobs.models import Job, JobKind
from sim_service.jobs.repository import JobFilter, JobRepository, listed_iccids


class JobService:
    """Jobs as a scope sees them."""

    def __init__(self, session: AsyncSession, scope: Scope = EVERYTHING) -> None:
        self._jobs = JobRepository(session, scope)

    async def request(
        self,
        kind: JobKind,
        requested_by: UUID | None = None,
        *,
        organization_id: UUID | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> Job:
        """A new job for the worker, or the open one where only one may be (then `params` are its own)."""
        open_key = None if KINDS[kind].many else f"{kind}/{organization_id or 'account'}"
        values = {
            "kind": kind,
            "requested_by": requested_by,
            "organization_id": organization_id,
            "open_key": open_key,
            "params": dict(params or {}),
        }
        while True:
            job = await self._jobs.add({"id": uuid7(), **values})
            if job is None and open_key is not None:
                job = await self._jobs.open(open_key)
            if job is not None:
                return job

    async def run_now(self, kind: JobKind, user: Principal, organization_id: UUID | None) -> Job:
        """A job that somebody asks for; raises Forbidden, NotFound or 422 where they cannot have it."""
        rules = KINDS[kind]
        if rules.asker is Asker.NOBODY:
            raise invalid("kind", "jobs of this kind come from an endpoint of their own")
        owner = user.acts_for(organization_id)
        if rules.asker is Asker.PLATFORM:
            _require_platform(user)
        user.require(Role.OPERATOR)
        if rules.reach is Reach.ACCOUNT and organization_id is not None:
            raise invalid("organization_id", "jobs of this kind are for the whole account")
        if rules.reach is Reach.EITHER and not user.is_admin:
            organization_id = owner
        return await self.request(kind, user.user_id, organization_id=organization_id)

    async def cancel(self, job_id: UUID, user: Principal) -> Job:
        """End a job; raises NotFound, Forbidden, or Conflict if it is over."""
        job = await self._jobs.get(job_id, for_update=True)
        if job is None:
            raise _not_found()
        if job.organization_id is None:
            _require_platform(user)
        user.require(Role.OPERATOR)
        job.cancel(at_once=not KINDS[JobKind(job.kind)].closes)
        return job

    async def get(self, job_id: UUID) -> Job:
        """One job; raises NotFound."""
        job = await self._jobs.get(job_id)
        if job is None:
            raise _not_found()
        return job

    async def find(self, wanted: JobFilter, paging: PageParams) -> Found[Job]:
        """One page of jobs, newest first."""
        return await self._jobs.page(wanted, paging)

    async def last_success(self, kind: JobKind) -> datetime | None:
        """Start of the last job of a kind for the whole account that succeeded."""
        return await self._jobs.last_success(kind)

    async def last_request(self, kind: JobKind) -> datetime | None:
        """When a job of a kind for the whole account was last asked for."""
        return await self._jobs.last_request(kind)


def listed_by(job_id: UUID) -> Select[str]:
    """Subquery: every ICCID that a sync has seen."""
    return listed_iccids(job_id)


def _require_platform(user: Principal) -> None:
    if not user.is_admin:
        raise Forbidden("jobs of the whole account are the platform administrator's")


def _not_found() -> NotFound:
    return NotFound("no such job", code="JOB_NOT_FOUND")
