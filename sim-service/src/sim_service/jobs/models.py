"""The tables `jobs` and `job_pages`: long work, its progress, and which parts are done."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, Integer, SmallInteger, String, Text, Uuid, func, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from fleet_kit.database import UtcDateTime, uuid7
from sim_service.database import Base


class JobKind(StrEnum):
    """What a job does."""

    SYNC_SIMS = "sync_sims"
    REFRESH_QUOTAS = "refresh_quotas"


class JobState(StrEnum):
    """Waiting for a worker, in one's hands, or over."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


OPEN_STATES = (JobState.QUEUED, JobState.RUNNING)
_OPEN = text("state IN ('queued', 'running')")


class Job(Base):
    """A piece of work. At most one of a kind is open; whoever holds its lease works on it.

    `organization_id` None: for the carrier's whole account, seen by every organisation. `result` are
    counters, readable while it runs.
    """

    __tablename__ = "jobs"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=uuid7)
    kind: Mapped[str] = mapped_column(String(30))
    state: Mapped[str] = mapped_column(String(20), default=JobState.QUEUED)
    organization_id: Mapped[UUID | None] = mapped_column(Uuid)
    requested_by: Mapped[UUID | None] = mapped_column(Uuid)
    done: Mapped[int] = mapped_column(Integer, default=0)
    total: Mapped[int | None] = mapped_column(Integer)
    result: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    failures: Mapped[int] = mapped_column(SmallInteger, default=0)
    error: Mapped[str | None] = mapped_column(Text)
    leased_by: Mapped[str | None] = mapped_column(String(64))
    leased_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime, server_default=func.now())
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, server_default=func.now())
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    __table_args__ = (
        Index("uq_jobs_open_kind", "kind", unique=True, postgresql_where=_OPEN),
        Index("ix_jobs_kind_state_started", "kind", "state", "started_at"),
        Index("ix_jobs_created_at", "created_at", "id"),
    )


class JobPage(Base):
    """A page that a job has finished, with the ICCIDs on it: a restarted job goes on with the others."""

    __tablename__ = "job_pages"

    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    page: Mapped[int] = mapped_column(Integer, primary_key=True)
    iccids: Mapped[list[str]] = mapped_column(ARRAY(String(19)))
