from typing import Any
from uuid import UUID

from pydantic import ConfigDict

from fleet_kit.principal import Principal
from fleet_kit.schemas import QueryModel, ResponseModel, StrictModel, Timestamp
from sim_service.work.jobs.models import Job, JobKind, JobState


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
        shown = cls.model_validate(job)
        if user.is_admin or job.organization_id is not None:
            return shown
        return shown.model_copy(update=dict.fromkeys(("done", "total", "result", "params")))


class JobQuery(QueryModel):
    """The list's filters."""

    model_config = ConfigDict(extra="ignore")

    kind: JobKind | None = None
    state: JobState | None = None


class JobIn(StrictModel):
    """A job to run now. The platform administrator's is for the whole account unless it names one."""

    kind: JobKind
    organization_id: UUID | None = None
