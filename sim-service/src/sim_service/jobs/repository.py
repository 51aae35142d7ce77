"""Queries on `jobs` and `job_pages`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, delete, func, or_, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.database import uuid7
from fleet_kit.scope import Scope
from sim_service.jobs.models import OPEN_STATES, Job, JobKind, JobPage, JobState


class JobRepository:
    """Jobs that a scope may see: its own and the service's. Taking one is the worker's, without scope."""

    def __init__(self, session: AsyncSession, scope: Scope) -> None:
        self._session, self._scope = session, scope

    async def get(self, job_id: UUID) -> Job | None:
        """One job."""
        statement = self._visible().where(Job.id == job_id)
        return (await self._session.execute(statement)).scalar_one_or_none()

    async def page(self, *, limit: int, offset: int, after: tuple[datetime, UUID] | None) -> Sequence[Job]:
        """Newest first, from an offset or behind the job `after`."""
        statement = self._visible()
        if after is not None:
            statement = statement.where(tuple_(Job.created_at, Job.id) < tuple_(*after))
        statement = statement.order_by(Job.created_at.desc(), Job.id.desc()).limit(limit).offset(offset)
        return (await self._session.execute(statement)).scalars().all()

    async def count(self) -> int:
        """How many jobs there are to see."""
        return (
            await self._session.execute(select(func.count()).select_from(self._visible().subquery()))
        ).scalar_one()

    async def open(self, kind: JobKind) -> Job | None:
        """The one job of a kind that is not over."""
        statement = select(Job).where(Job.kind == kind, Job.state.in_(OPEN_STATES))
        return (await self._session.execute(statement)).scalar_one_or_none()

    async def add(self, kind: JobKind, requested_by: UUID | None) -> Job | None:
        """A new job, or None while one of its kind is open."""
        statement = (
            insert(Job)
            .values(
                id=uuid7(),
                kind=kind,
                state=JobState.QUEUED,
                requested_by=requested_by,
                done=0,
                result={},
                failures=0,
            )
            .on_conflict_do_nothing()
            .returning(Job)
        )
        return (await self._session.execute(statement)).scalar_one_or_none()

    async def last_success(self, kind: JobKind) -> datetime | None:
        """When the last job of a kind that succeeded was started."""
        statement = select(func.max(Job.started_at)).where(Job.kind == kind, Job.state == JobState.SUCCEEDED)
        return (await self._session.execute(statement)).scalar_one()

    async def last_request(self, kind: JobKind) -> datetime | None:
        """When a job of a kind was last asked for."""
        return (
            await self._session.execute(select(func.max(Job.created_at)).where(Job.kind == kind))
        ).scalar_one()

    async def take(self, worker: str, until: datetime) -> Job | None:
        """Lease the oldest job that is due and in nobody's hands."""
        free = or_(Job.leased_until.is_(None), Job.leased_until < func.now())
        due = (
            select(Job.id)
            .where(Job.state.in_(OPEN_STATES), Job.due_at <= func.now(), free)
            .order_by(Job.created_at)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        statement = (
            update(Job)
            .where(Job.id == due.scalar_subquery())
            .values(
                state=JobState.RUNNING,
                leased_by=worker,
                leased_until=until,
                started_at=func.coalesce(Job.started_at, func.now()),
            )
            .returning(Job)
        )
        return (await self._session.execute(statement)).scalar_one_or_none()

    async def held(self, job_id: UUID, worker: str) -> Job | None:
        """The job, locked, if it is still in this worker's hands."""
        statement = (
            select(Job)
            .where(Job.id == job_id, Job.leased_by == worker, Job.state == JobState.RUNNING)
            .with_for_update()
        )
        return (await self._session.execute(statement)).scalar_one_or_none()

    async def change_held(self, job_id: UUID, worker: str, values: dict[str, Any]) -> bool:
        """Write columns of a job in this worker's hands; False if it is not."""
        statement = update(Job).where(and_(Job.id == job_id, Job.leased_by == worker)).values(**values)
        changed = await self._session.execute(statement.returning(Job.id))
        return changed.scalar_one_or_none() is not None

    async def add_page(self, job_id: UUID, page: int, iccids: Sequence[str]) -> None:
        """Note a finished page."""
        self._session.add(JobPage(job_id=job_id, page=page, iccids=list(iccids)))

    async def pages(self, job_id: UUID) -> Sequence[int]:
        """Numbers of the finished pages."""
        statement = select(JobPage.page).where(JobPage.job_id == job_id)
        return (await self._session.execute(statement)).scalars().all()

    async def drop_pages(self, job_id: UUID) -> None:
        """Forget the pages of a job that is over."""
        await self._session.execute(delete(JobPage).where(JobPage.job_id == job_id))

    def _visible(self) -> Select[Job]:
        return select(Job).where(or_(self._scope.where(Job.organization_id), Job.organization_id.is_(None)))


def listed_iccids(job_id: UUID) -> Select[str]:
    """Subquery: every ICCID on the finished pages of a job."""
    return select(func.unnest(JobPage.iccids)).where(JobPage.job_id == job_id)
