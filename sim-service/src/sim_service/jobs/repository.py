"""Queries on `jobs` and `job_pages`."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, delete, func, or_, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from fleet_kit.keyset import Found, Order, find_page
from fleet_kit.pagination import PageParams
from fleet_kit.scope import Scope
from sim_service.jobs.models import OPEN_STATES, Job, JobKind, JobPage, JobState

_NEWEST = Order("-created_at", Job.created_at, Job.id)


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Conditions that must all hold; None does not restrict."""

    kind: JobKind | None = None
    state: JobState | None = None


class JobRepository:
    """Jobs that a scope may see: its own and the service's. Taking one is the worker's, without scope."""

    def __init__(self, session: AsyncSession, scope: Scope) -> None:
        self._session, self._scope = session, scope

    async def get(self, job_id: UUID, *, for_update: bool = False) -> Job | None:
        """One job; `for_update` locks its row until the commit."""
        statement = self._visible().where(Job.id == job_id)
        if for_update:
            statement = statement.with_for_update().execution_options(populate_existing=True)
        return (await self._session.execute(statement)).scalar_one_or_none()

    async def page(self, wanted: JobFilter, paging: PageParams) -> Found[Job]:
        """A page, newest first."""
        statement = self._visible().where(*_conditions(wanted))
        return await find_page(self._session, statement, _NEWEST, paging)

    async def open(self, open_key: str) -> Job | None:
        """The job with this key that is not over."""
        statement = select(Job).where(Job.open_key == open_key, Job.state.in_(OPEN_STATES))
        return (await self._session.execute(statement)).scalar_one_or_none()

    async def add(self, values: dict[str, Any]) -> Job | None:
        """A new job, or None while one with its key is open."""
        statement = insert(Job).values(state=JobState.QUEUED, done=0, result={}, failures=0, **values)
        statement = statement.on_conflict_do_nothing()
        return (await self._session.execute(statement.returning(Job))).scalar_one_or_none()

    async def last_success(self, kind: JobKind) -> datetime | None:
        """When the last job of a kind for the whole account that succeeded was started."""
        statement = select(func.max(Job.started_at)).where(
            Job.kind == kind, Job.state == JobState.SUCCEEDED, Job.organization_id.is_(None)
        )
        return (await self._session.execute(statement)).scalar_one()

    async def last_request(self, kind: JobKind) -> datetime | None:
        """When a job of a kind for the whole account was last asked for."""
        statement = select(func.max(Job.created_at)).where(Job.kind == kind, Job.organization_id.is_(None))
        return (await self._session.execute(statement)).scalar_one()

    async def take(self, worker: str, until: datetime, job_id: UUID | None = None) -> Job | None:
        """Lease the oldest job that is due and in nobody's hands, or this one if it is so."""
        due = select(Job.id).where(*_due(), ~_sibling_runs()).order_by(Job.created_at, Job.id).limit(1)
        due = due.with_for_update(skip_locked=job_id is None)
        if job_id is not None:
            due = due.where(Job.id == job_id)
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

    async def announce(
        self, kinds: Collection[JobKind], *, new: bool, lost_after: timedelta | None, limit: int
    ) -> Sequence[tuple[UUID, str]]:
        """Note as announced some jobs of these kinds that are due; their ids and kinds.

        `new`: those that were not so far, or have run out of their lease or been put off since.
        `lost_after`: those that were announced so long ago and that nobody took.
        """
        wanted = []
        if new:
            stale = Job.announced_at < func.greatest(Job.due_at, Job.leased_until)
            wanted += [Job.announced_at.is_(None), stale]
        if lost_after is not None:
            wanted.append(Job.announced_at <= func.now() - lost_after)
        found = (
            select(Job.id)
            .where(*_due(), Job.kind.in_(kinds), or_(*wanted), ~_sibling_runs())
            .order_by(Job.created_at, Job.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        noted = update(Job).where(Job.id.in_(found)).values(announced_at=func.now())
        rows = await self._session.execute(noted.returning(Job.id, Job.kind))
        return [(row.id, row.kind) for row in rows]

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
        mine = and_(Job.id == job_id, Job.leased_by == worker, Job.state == JobState.RUNNING)
        changed = await self._session.execute(update(Job).where(mine).values(**values).returning(Job.id))
        return changed.scalar_one_or_none() is not None

    async def forget(self, before: datetime, limit: int) -> int:
        """Delete at most `limit` jobs that were over before a moment, with their items; how many went.

        The last success of each kind for the whole account stays: it vouches for what it read.
        """
        newer = aliased(Job)
        succeeded_later = select(newer.id).where(
            newer.kind == Job.kind,
            newer.state == JobState.SUCCEEDED,
            newer.organization_id.is_(None),
            newer.started_at > Job.started_at,
        )
        needless = or_(
            Job.state != JobState.SUCCEEDED, Job.organization_id.is_not(None), succeeded_later.exists()
        )
        old = select(Job.id).where(Job.finished_at < before, needless).order_by(Job.finished_at).limit(limit)
        return len((await self._session.execute(delete(Job).where(Job.id.in_(old)).returning(Job.id))).all())

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


def _conditions(wanted: JobFilter) -> list[ColumnElement[bool]]:
    given = ((Job.kind, wanted.kind), (Job.state, wanted.state))
    return [column == value for column, value in given if value is not None]


def _due() -> tuple[ColumnElement[bool], ...]:
    free = or_(Job.leased_until.is_(None), Job.leased_until < func.now())
    return Job.state.in_(OPEN_STATES), Job.due_at <= func.now(), free


def _sibling_runs() -> ColumnElement[bool]:
    """Of jobs without a key, an older one of the same kind and organisation is not over nor put off."""
    older = aliased(Job)
    return and_(
        Job.open_key.is_(None),
        select(older.id)
        .where(
            older.open_key.is_(None),
            older.kind == Job.kind,
            older.organization_id == Job.organization_id,
            older.state.in_(OPEN_STATES),
            older.due_at <= func.now(),
            tuple_(older.created_at, older.id) < tuple_(Job.created_at, Job.id),
        )
        .exists(),
    )
