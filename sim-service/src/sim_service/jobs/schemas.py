"""HTTP shapes of jobs."""

from typing import Any
from uuid import UUID

from fleet_kit.schemas import ResponseModel, Timestamp
from sim_service.jobs.models import Job, JobKind, JobState


class JobOut(ResponseModel):
    """A job. `progress` runs from 0 to 1.

    Counts of jobs over the carrier's whole account are for the platform administrator: to others they would
    tell of other organisations.
    """

    id: UUID
    kind: JobKind
    state: JobState
    progress: float
    done: int | None
    total: int | None
    result: dict[str, Any] | None
    error: str | None
    created_at: Timestamp
    started_at: Timestamp | None
    finished_at: Timestamp | None

    @classmethod
    def of(cls, job: Job, *, with_counts: bool) -> "JobOut":
        """The job as somebody may see it."""
        shown = {"done": job.done, "total": job.total, "result": job.result}
        return cls(
            id=job.id,
            kind=JobKind(job.kind),
            state=JobState(job.state),
            progress=_progress(job),
            **(shown if with_counts else dict.fromkeys(shown)),
            error=job.error,
            created_at=job.created_at,
            started_at=job.started_at,
            finished_at=job.finished_at,
        )


def _progress(job: Job) -> float:
    if job.state == JobState.SUCCEEDED:
        return 1.0
    return round(min(1.0, job.done / job.total), 3) if job.total else 0.0
