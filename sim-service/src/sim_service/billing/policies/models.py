"""The tables `topup_policies`, `policy_proposals` and `policy_decisions`."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, Date, ForeignKey, Index, Integer, SmallInteger, String, Text, Uuid, func, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from fleet_kit.database import UtcDateTime
from fleet_kit.errors import Conflict
from fleet_kit.ids import uuid7
from sim_service.carrier.models import QuotaState
from sim_service.platform.amounts import Amount
from sim_service.platform.database import Base
from sim_service.usage.quotas.models import SimQuota

PROPOSAL_LASTS = timedelta(days=7)
"""What nobody has approved by then would buy by old facts."""


class SelectBy(StrEnum):
    """Which SIMs a policy is for: all of the organisation, those with one of its tags, or those named."""

    ALL = "all"
    TAGS = "tags"
    ICCIDS = "iccids"


class ProposalState(StrEnum):
    """PENDING waits for an admin; the others are final."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"


class Decision(StrEnum):
    """What a policy decided about a SIM whose quota met its trigger."""

    TOPPED_UP = "topped_up"
    PROPOSED = "proposed"
    WOULD_TOP_UP = "would_top_up"
    SKIPPED = "skipped"


class Reason(StrEnum):
    """Why a SIM was topped up, or skipped."""

    FORECAST = "forecast"
    REMAINING = "remaining"
    IN_PROGRESS = "in_progress"
    MONTHLY_LIMIT = "monthly_limit"
    BUDGET = "budget"
    NOT_GRANTED = "not_granted"
    GRANTED_BUDGET = "granted_budget"
    SIM_EXPIRED = "sim_expired"
    SIM_UNKNOWN = "sim_unknown"
    QUOTA_UNKNOWN = "quota_unknown"
    AWAITING_APPROVAL = "awaiting_approval"


PENDING_ROWS = text("state = 'pending'")
REPEATABLE = (Decision.SKIPPED, Decision.WOULD_TOP_UP)
"""Decisions that cost nothing."""
REPEATABLE_ROWS = text("decision IN ('skipped', 'would_top_up')")
ONCE_A_DAY = ("policy_id", "iccid", "day", "decision", "reason")
"""What identifies a repeatable decision."""


class Policy(Base):
    """When to buy for which SIMs, and how much at most.

    Either trigger is enough: the data quota is forecast to be used up within `forecast_below_days`, or less
    than `remaining_below_percent` of it is left. `budget_per_month` is gross money in a UTC month. An
    evaluation that would buy for more than `approval_above_sims` SIMs asks an admin first (None: never).
    """

    __tablename__ = "topup_policies"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=uuid7)
    organization_id: Mapped[UUID] = mapped_column(Uuid)
    name: Mapped[str] = mapped_column(String(100))
    enabled: Mapped[bool] = mapped_column(Boolean)
    dry_run: Mapped[bool] = mapped_column(Boolean)
    select_by: Mapped[str] = mapped_column(String(10))
    tags: Mapped[list[str]] = mapped_column(ARRAY(Text))
    iccids: Mapped[list[str]] = mapped_column(ARRAY(String(19)))
    forecast_below_days: Mapped[int | None] = mapped_column(SmallInteger)
    remaining_below_percent: Mapped[int | None] = mapped_column(SmallInteger)
    max_per_sim_per_month: Mapped[int] = mapped_column("most_per_sim", SmallInteger)
    budget_per_month: Mapped[Decimal] = mapped_column("budget", Amount)
    approval_above_sims: Mapped[int | None] = mapped_column("approval_above", Integer)
    payment_method: Mapped[str | None] = mapped_column(String(20))
    created_by: Mapped[UUID] = mapped_column(Uuid)
    evaluated_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, server_default=func.now())
    deleted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    __table_args__ = (
        Index(
            "ix_topup_policies_owner_id", "organization_id", "id", postgresql_where=text("deleted_at IS NULL")
        ),
        Index("ix_topup_policies_deleted", "deleted_at", postgresql_where=text("deleted_at IS NOT NULL")),
    )

    def trigger(self, quota: SimQuota, today: date) -> Reason | None:
        """Why the policy would buy for a SIM with this quota, None if it would not."""
        percent, days = self.remaining_below_percent, self.forecast_below_days
        if percent is not None and quota.remaining * 100 < quota.total * percent:
            return Reason.REMAINING
        if days is not None and quota.exhausted_on is not None:
            return Reason.FORECAST if quota.exhausted_on < today + timedelta(days=days) else None
        return None

    def skip_reason(self, quota: SimQuota, *, in_progress: bool, bought: int) -> Reason | None:
        """What keeps the policy from buying, except money; `bought`: for this SIM in this month."""
        if quota.state == QuotaState.EXPIRED:
            return Reason.SIM_EXPIRED
        if in_progress:
            return Reason.IN_PROGRESS
        return Reason.MONTHLY_LIMIT if bought >= self.max_per_sim_per_month else None

    def needs_approval(self, sims: int) -> bool:
        most = self.approval_above_sims
        return not self.dry_run and most is not None and sims > most


class Proposal(Base):
    """What a policy would buy if an admin approves; at most one of a policy is pending."""

    __tablename__ = "policy_proposals"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=uuid7)
    organization_id: Mapped[UUID] = mapped_column(Uuid)
    policy_id: Mapped[UUID] = mapped_column(ForeignKey("topup_policies.id", ondelete="CASCADE"))
    state: Mapped[str] = mapped_column(String(20), default=ProposalState.PENDING)
    iccids: Mapped[list[str]] = mapped_column(ARRAY(String(19)))
    amount: Mapped[Decimal] = mapped_column(Amount)
    currency: Mapped[str] = mapped_column(String(3))
    decided_by: Mapped[UUID | None] = mapped_column(Uuid)
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, server_default=func.now())

    __table_args__ = (
        Index("uq_policy_proposals_pending", "policy_id", unique=True, postgresql_where=PENDING_ROWS),
        Index("ix_policy_proposals_policy_id", "policy_id", "id"),
        Index("ix_policy_proposals_decided", "decided_at", postgresql_where=text("decided_at IS NOT NULL")),
    )

    def decide(self, state: ProposalState, by: UUID | None) -> None:
        """Approve, reject or expire; raises Conflict if that was done already."""
        if self.state != ProposalState.PENDING:
            raise Conflict("the proposal is decided", code="PROPOSAL_DECIDED", details={"state": self.state})
        self.state, self.decided_by, self.decided_at = state, by, datetime.now(UTC)


class PolicyDecision(Base):
    """A decision about one SIM. One that costs nothing is noted once a day, with the `times` it was made."""

    __tablename__ = "policy_decisions"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=uuid7)
    organization_id: Mapped[UUID] = mapped_column(Uuid)
    policy_id: Mapped[UUID] = mapped_column(ForeignKey("topup_policies.id", ondelete="CASCADE"))
    iccid: Mapped[str] = mapped_column(String(19))
    day: Mapped[date] = mapped_column(Date)
    decision: Mapped[str] = mapped_column(String(20))
    reason: Mapped[str] = mapped_column(String(30))
    top_up_id: Mapped[UUID | None] = mapped_column(Uuid)
    proposal_id: Mapped[UUID | None] = mapped_column(Uuid)
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    times: Mapped[int] = mapped_column(Integer, default=1)
    last_at: Mapped[datetime] = mapped_column(UtcDateTime, server_default=func.now())
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, server_default=func.now())

    __table_args__ = (
        Index("uq_policy_decisions_day", *ONCE_A_DAY, unique=True, postgresql_where=REPEATABLE_ROWS),
        Index("ix_policy_decisions_policy_id", "policy_id", "id"),
        Index("ix_policy_decisions_day", "day"),
    )
