from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, case, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import distinct_on, insert
from sqlalchemy.orm import aliased

from fleet_kit.keyset_pagination import PageResult, SortOrder, find_page
from fleet_kit.notifications import notify
from fleet_kit.pagination import PageParams
from sim_service.platform.scoped_repository import ScopedRepository
from sim_service.work.jobs.kinds import LONG, STEPWISE
from sim_service.work.jobs.models import CHANNEL, OPEN_STATES, Job, JobKind, JobState

_AT_ONCE = 2
"""So many long jobs of one organisation run at the same time, and as many stepwise ones; others wait.

All workers count together. One worker runs four long jobs at a time (`JOBS_PARALLEL`), so an organisation
with many of them leaves slots to the others. What is long or stepwise: `work.jobs.kinds`.
"""
_NEWEST = SortOrder("-created_at", Job.created_at, Job.id)


@dataclass(frozen=True, slots=True)
class DeletedJob:
    organization_id: UUID | None
    items: int


class JobRepository(ScopedRepository):
    """Jobs that a scope may see: its own and the account's. Leasing one is the worker's, without scope."""

    async def get(self, job_id: UUID, *, for_update: bool = False) -> Job | None:
        return await self._one(self._visible().where(Job.id == job_id), for_update=for_update)

    async def page(self, kind: JobKind | None, state: JobState | None, paging: PageParams) -> PageResult[Job]:
        statement = self._visible()
        for column, value in ((Job.kind, kind), (Job.state, state)):
            if value is not None:
                statement = statement.where(column == value)
        return await find_page(self._session, statement, _NEWEST, paging)

    async def open(self, open_key: str) -> Job | None:
        """The job with this key that is not over."""
        return await self._one(select(Job).where(Job.open_key == open_key, Job.state.in_(OPEN_STATES)))

    async def create(self, **values: Any) -> Job | None:
        """A new job, or None while one with its key is open."""
        statement = insert(Job).values(state=JobState.QUEUED, done=0, result={}, failures=0, **values)
        statement = statement.on_conflict_do_nothing()
        return (await self._session.execute(statement.returning(Job))).scalar_one_or_none()

    async def last_success(self, kind: JobKind) -> datetime | None:
        statement = select(func.max(Job.started_at)).where(
            Job.kind == kind, Job.state == JobState.SUCCEEDED, Job.organization_id.is_(None)
        )
        return await self._one(statement)

    async def last_request(self, kind: JobKind) -> datetime | None:
        statement = select(func.max(Job.created_at)).where(Job.kind == kind, Job.organization_id.is_(None))
        return await self._one(statement)

    async def last_finished(self, kind: JobKind, since: datetime) -> Job | None:
        """The last job of a kind for the whole account that was over at some time since then."""
        statement = (
            select(Job)
            .where(Job.kind == kind, Job.organization_id.is_(None), Job.finished_at >= since)
            .order_by(Job.finished_at.desc())
            .limit(1)
        )
        return await self._one(statement)

    async def take(self, worker: str, lease_time: timedelta, kinds: Collection[JobKind]) -> Job | None:
        """Lease the oldest job of these kinds that is due and that no worker holds.

        A lease that has expired counts as a failure: its worker died, and the job may be the reason.
        """
        expired = Job.leased_until.is_not(None)
        due = (
            select(Job.id)
            .where(
                *_due(),
                Job.kind.in_(kinds),
                _has_its_turn(),
                ~_has_its_share(LONG),
                ~_has_its_share(STEPWISE),
            )
            .order_by(Job.created_at, Job.id)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        statement = (
            update(Job)
            .where(Job.id == due.scalar_subquery())
            .values(
                state=JobState.RUNNING,
                leased_by=worker,
                leased_until=func.now() + lease_time,
                failures=Job.failures + case((and_(expired, Job.state == JobState.RUNNING), 1), else_=0),
                started_at=func.coalesce(Job.started_at, func.now()),
            )
            .returning(Job)
        )
        return (await self._session.execute(statement)).scalar_one_or_none()

    async def notify(self) -> None:
        await notify(self._session, CHANNEL)

    async def leased(self, job_id: UUID, worker: str) -> Job | None:
        """The job, locked, if it is still in this worker's hands."""
        return await self._one(select(Job).where(*_leased(job_id, worker)).with_for_update())

    async def update_leased(self, job_id: UUID, worker: str, values: Mapping[str, Any]) -> bool:
        """Write columns of a job in this worker's hands; False if it is not."""
        statement = update(Job).where(*_leased(job_id, worker)).values(**values).returning(Job.id)
        return (await self._session.execute(statement)).scalar_one_or_none() is not None

    async def delete_older_than(self, before: datetime, limit: int) -> Sequence[DeletedJob]:
        """Delete at most `limit` jobs that were over before a moment, with their items; which went.

        The last success of each kind for the whole account stays: it confirms what it read.
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
        columns = (Job.organization_id, Job.kind, Job.total)
        gone = (await self._session.execute(delete(Job).where(Job.id.in_(old)).returning(*columns))).all()
        return [
            DeletedJob(row.organization_id, row.total or 0 if row.kind == JobKind.BULK else 0) for row in gone
        ]

    def _visible(self) -> Select[Job]:
        return select(Job).where(or_(self._scope.where(Job.organization_id), Job.organization_id.is_(None)))


def _leased(job_id: UUID, worker: str) -> tuple[ColumnElement[bool], ...]:
    return Job.id == job_id, Job.leased_by == worker, Job.state == JobState.RUNNING


def _due() -> tuple[ColumnElement[bool], ...]:
    free = or_(Job.leased_until.is_(None), Job.leased_until < func.now())
    return Job.state.in_(OPEN_STATES), Job.due_at <= func.now(), free


def _has_its_share(kinds: Collection[JobKind]) -> ColumnElement[bool]:
    """Of these kinds, workers are at so many others of the job's organisation that it has to wait."""
    other = aliased(Job)
    at_work = (
        select(func.count())
        .select_from(other)
        .where(
            other.organization_id == Job.organization_id,
            other.id != Job.id,
            other.kind.in_(kinds),
            other.state.in_(OPEN_STATES),  # for the index of open jobs
            other.state == JobState.RUNNING,
            other.leased_until > func.now(),
        )
    )
    return and_(Job.organization_id.is_not(None), Job.kind.in_(kinds), at_work.scalar_subquery() >= _AT_ONCE)


def _has_its_turn() -> ColumnElement[bool]:
    """Of jobs without a key, the oldest of its kind and organisation that is neither over nor deferred.

    Found once for all: asked for each job by itself, those of one that has thousands cost a minute.
    """
    first = aliased(Job)
    same = first.kind, first.organization_id
    heads = (
        select(first.id)
        .ext(distinct_on(*same))
        .where(first.open_key.is_(None), first.state.in_(OPEN_STATES), first.due_at <= func.now())
        .order_by(*same, first.created_at, first.id)
    )
    return or_(Job.open_key.is_not(None), Job.id.in_(heads))
