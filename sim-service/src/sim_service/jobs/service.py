"""The rules of jobs: one open job of a kind, worked on by whoever holds its lease."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.errors import NotFound, invalid
from fleet_kit.pagination import PageParams, encode_cursor
from fleet_kit.scope import EVERYTHING, Scope
from sim_service.jobs.models import Job, JobKind
from sim_service.jobs.repository import JobRepository, listed_iccids


@dataclass(frozen=True, slots=True)
class FoundJobs:
    """A page of jobs; `total` only for pages by number."""

    jobs: Sequence[Job]
    total: int | None
    next_cursor: str | None


class JobService:
    """Jobs as a scope sees them."""

    def __init__(self, session: AsyncSession, scope: Scope = EVERYTHING) -> None:
        self._jobs = JobRepository(session, scope)

    async def request(self, kind: JobKind, requested_by: UUID | None = None) -> Job:
        """A new job for the worker, or the one of its kind that is open already."""
        while True:
            job = await self._jobs.add(kind, requested_by) or await self._jobs.open(kind)
            if job is not None:
                return job

    async def get(self, job_id: UUID) -> Job:
        """One job; raises NotFound."""
        job = await self._jobs.get(job_id)
        if job is None:
            raise NotFound("no such job", code="JOB_NOT_FOUND")
        return job

    async def find(self, paging: PageParams) -> FoundJobs:
        """One page of jobs, newest first."""
        after = _position(paging)
        rows = await self._jobs.page(
            limit=paging.page_size + 1, offset=0 if after else paging.offset, after=after
        )
        shown = rows[: paging.page_size]
        last = shown[-1] if len(rows) > len(shown) else None
        cursor = encode_cursor([last.created_at.isoformat(), str(last.id)]) if last else None
        return FoundJobs(shown, None if after else await self._jobs.count(), cursor)

    async def last_success(self, kind: JobKind) -> datetime | None:
        """Start of the last job of a kind that succeeded."""
        return await self._jobs.last_success(kind)

    async def last_request(self, kind: JobKind) -> datetime | None:
        """When a job of a kind was last asked for."""
        return await self._jobs.last_request(kind)


def _position(paging: PageParams) -> tuple[datetime, UUID] | None:
    values: list[Any] | None = paging.position(2)
    if values is None:
        return None
    try:
        return datetime.fromisoformat(values[0]), UUID(values[1])
    except (TypeError, ValueError, AttributeError):
        raise invalid("cursor", "not a cursor of this list") from None


def listed_by(job_id: UUID) -> Select[str]:
    """Subquery: every ICCID that a sync has seen."""
    return listed_iccids(job_id)
