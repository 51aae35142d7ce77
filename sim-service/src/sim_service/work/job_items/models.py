"""The table `job_items`: one SIM of a job and what became of it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, Integer, String, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from fleet_kit.database import UtcDateTime
from sim_service.platform.database import Base


class ItemState(StrEnum):
    """What became of one part of a job; `unknown`: it may have happened, and looking has not told."""

    PENDING = "pending"
    WORKING = "working"
    UNKNOWN = "unknown"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


IN_DOUBT = (ItemState.WORKING, ItemState.UNKNOWN)
OVER = (ItemState.SUCCEEDED, ItemState.FAILED, ItemState.CANCELLED)


class JobItem(Base):
    """One SIM of a job and what became of it. `claimed_at`: when it was begun."""

    __tablename__ = "job_items"

    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    organization_id: Mapped[UUID | None] = mapped_column(Uuid)
    iccid: Mapped[str] = mapped_column(String(19))
    state: Mapped[str] = mapped_column(String(20), server_default=ItemState.PENDING)
    error_code: Mapped[str | None] = mapped_column(String(60))
    error: Mapped[str | None] = mapped_column(Text)
    result: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    claimed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    __table_args__ = (Index("ix_job_items_state", "job_id", "state", "number"),)

    def take(self, state: ItemState, result: Mapping[str, Any] | None) -> None:
        self.state = state
        if result is not None:
            self.result = dict(result)
        if state in OVER:
            self.finished_at = datetime.now(UTC)
