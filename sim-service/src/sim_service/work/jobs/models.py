"""The tables `jobs` and `job_pages`: long work, its progress, and which parts are done."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Index, Integer, SmallInteger, String, Text, Uuid, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from fleet_kit.database import UtcDateTime
from fleet_kit.errors import Conflict
from fleet_kit.ids import uuid7
from sim_service.platform.database import Base


class JobKind(StrEnum):
    """What a job does. Its rules stand in kinds.py, who does it in worker.py."""

    BULK = "bulk"
    CLEANUP = "cleanup"
    IMPORT_SIMS = "import_sims"
    SYNC_SIMS = "sync_sims"
    REFRESH_QUOTAS = "refresh_quotas"
    SYNC_USAGE = "sync_usage"
    SEND_DUE_SMS = "send_due_sms"
    POLL_SMS_STATUS = "sms_states"
    SYNC_TICKETS = "sync_tickets"
    SYNC_EVENTS = "sync_events"
    RECONCILE_ACTIONS = "reconcile"
    FORECAST_QUOTAS = "forecast_quotas"
    SYNC_ORDERS = "sync_orders"
    SYNC_PRODUCTS = "sync_products"
    APPLY_POLICIES = "apply_policies"
    EVALUATE_POLICY = "evaluate_policy"


class JobState(StrEnum):
    """Waiting for a worker, in one's hands, or over."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


CHANNEL = "sim_jobs"
"""Postgres channel that is notified when a job may have become due."""

OPEN_STATES = (JobState.QUEUED, JobState.RUNNING)
_OPEN = text("state IN ('queued', 'running')")


class Job(Base):
    """A piece of work; whoever holds its lease works on it. No two open jobs have the same `open_key`.

    `organization_id` None: for the carrier's whole account, seen by every organisation. `result` are
    counters, readable while it runs. `announced_at` is unused; it stays while workers of an earlier release
    may run beside this one.
    """

    __tablename__ = "jobs"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=uuid7)
    kind: Mapped[str] = mapped_column(String(30))
    state: Mapped[str] = mapped_column(String(20), default=JobState.QUEUED)
    organization_id: Mapped[UUID | None] = mapped_column(Uuid)
    requested_by: Mapped[UUID | None] = mapped_column(Uuid)
    open_key: Mapped[str | None] = mapped_column(Text)
    params: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict, server_default="{}")
    done: Mapped[int] = mapped_column(Integer, default=0)
    total: Mapped[int | None] = mapped_column(Integer)
    result: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    failures: Mapped[int] = mapped_column(SmallInteger, default=0)
    error: Mapped[str | None] = mapped_column(Text)
    leased_by: Mapped[str | None] = mapped_column(String(64))
    leased_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime, server_default=func.now())
    announced_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    cancel_requested_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, server_default=func.now())
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    __table_args__ = (
        Index("uq_jobs_open_key", "open_key", unique=True, postgresql_where=_OPEN),
        Index("ix_jobs_open", "created_at", postgresql_where=_OPEN),
        Index("ix_jobs_kind_state_started", "kind", "state", "started_at"),
        Index("ix_jobs_kind_created", "kind", "created_at", "id"),
        Index("ix_jobs_owner_created", "organization_id", "created_at", "id"),
        Index("ix_jobs_created_at", "created_at", "id"),
        Index("ix_jobs_finished_at", "finished_at", postgresql_where=text("finished_at IS NOT NULL")),
    )

    @property
    def progress(self) -> float | None:
        """From 0 to 1; None while nobody knows how much there is to do."""
        if self.state == JobState.SUCCEEDED:
            return 1.0
        if self.total is None:
            return None
        return round(min(1.0, self.done / self.total), 3) if self.total else 0.0

    def count(self, **numbers: int) -> None:
        added = {name: self.result.get(name, 0) + number for name, number in numbers.items()}
        self.result = {**self.result, **added}

    def cancel(self, *, at_once: bool) -> None:
        """End it: `at_once` if nobody has begun, else its worker ends it, after the part in hand.

        Raises Conflict if it is over.
        """
        if self.state not in OPEN_STATES:
            raise Conflict(f"the job is over: {self.state}", code="JOB_OVER", details={"state": self.state})
        now = datetime.now(UTC)
        self.cancel_requested_at = self.cancel_requested_at or now
        if at_once and self.started_at is None:
            self.state, self.finished_at = JobState.CANCELLED, now
        else:
            self.due_at = min(self.due_at, now)
