"""HTTP shapes of jobs."""

from typing import Any
from uuid import UUID

from pydantic import ConfigDict

from fleet_kit.principal import Principal
from fleet_kit.schemas import ResponseModel, StrictModel, Timestamp
from sim_service.jobs.models import Job, JobKind, JobState
from sim_service.jobs.repository import JobFilter


class JobOut(ResponseModel):
    """A job. `progress` runs from 0 to 1, null while nobody knows how much there is to do.

    `organization_id` null: it is for the carrier's whole account.

    Counts of jobs over the whole account are for the platform administrator: to others they would tell of
    other organisations. With `cancel_requested_at` it ends after the part that is in hand.
    """

    id: UUID
    kind: JobKind
    state: JobState
    organization_id: UUID | None
    progress: float | None
    done: int | None
    total: int | None
    result: dict[str, Any] | None
    params: dict[str, Any] | None
    error: str | None
    cancel_requested_at: Timestamp | None
    created_at: Timestamp
    started_at: Timestamp | None
    finished_at: Timestamp | None

    @classmethod
    def of(cls, job: Job, user: Principal) -> "JobOut":
        """The job as somebody may see it."""
        shown = {name: getattr(job, name) for name in ("done", "total", "result", "params")}
        own = user.is_admin or job.organization_id is not None
        return cls(
            id=job.id,
            kind=JobKind(job.kind),
            state=JobState(job.state),
            organization_id=job.organization_id,
            progress=_progress(job),
            **(shown if own else dict.fromkeys(shown)),
            error=job.error,
            cancel_requested_at=job.cancel_requested_at,
            created_at=job.created_at,
            started_at=job.started_at,
            finished_at=job.finished_at,
        )


class JobQuery(StrictModel):
    """The list's filters."""

    model_config = ConfigDict(extra="ignore")

    kind: JobKind | None = None
    state: JobState | None = None

    def filter(self) -> JobFilter:
        """The filter for the repository."""
        return JobFilter(self.kind, self.state)


class JobIn(StrictModel):
    """A job to run now. The platform administrator's is for the whole account unless it names one."""

    kind: JobKind
    organization_id: UUID | None = None


def _progress(job: Job) -> float | None:
    if job.state == JobState.SUCCEEDED:
        return 1.0
    if job.total is None:
        return None
    return round(min(1.0, job.done / job.total), 3) if job.total else 0.0
