"""HTTP shapes of policies."""

from decimal import Decimal
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import ConfigDict, Field, model_validator

from fleet_kit.schemas import ResponseModel, StrictModel, Text, Timestamp
from sim_service.carrier.facts import PaymentMethod
from sim_service.iccid import Iccid
from sim_service.policies.models import (
    Decision,
    Policy,
    PolicyDecision,
    Proposal,
    ProposalState,
    Reason,
    SelectBy,
)
from sim_service.policies.repository import DecisionFilter
from sim_service.policies.service import Kept
from sim_service.sims.fields import MAX_TAGS, Tag
from sim_service.topups.schemas import Money

Name = Annotated[Text, Field(min_length=1, max_length=100)]
Days = Annotated[int, Field(ge=1, le=365)]
Percent = Annotated[int, Field(ge=1, le=100)]
Most = Annotated[int, Field(ge=1, le=100)]
Budget = Annotated[Decimal, Field(gt=0, le=10_000_000, decimal_places=2)]
Sims = Annotated[int, Field(ge=0, le=1_000_000)]


class Selector(StrictModel):
    """The SIMs that a policy is for: `all`, those with one of `tags`, or those named by `iccids`."""

    by: SelectBy
    tags: Annotated[list[Tag], Field(max_length=MAX_TAGS)] = Field([])
    iccids: Annotated[list[Iccid], Field(max_length=10_000)] = Field([])

    @model_validator(mode="after")
    def _whole(self) -> Self:
        for kind, given in ((SelectBy.TAGS, self.tags), (SelectBy.ICCIDS, self.iccids)):
            if bool(given) != (self.by == kind):
                raise ValueError(f"`{kind}` are needed with, and only with, by = {kind}")
        return self

    def columns(self) -> dict[str, Any]:
        """For the entity."""
        return {"select_by": self.by, "tags": sorted(set(self.tags)), "iccids": sorted(set(self.iccids))}


class Trigger(StrictModel):
    """When to buy; either is enough: used up within so many days as foretold, or less than so much left."""

    forecast_below_days: Days | None = None
    remaining_below_percent: Percent | None = None

    @model_validator(mode="after")
    def _some(self) -> Self:
        if self.forecast_below_days is None and self.remaining_below_percent is None:
            raise ValueError("name forecast_below_days, remaining_below_percent, or both")
        return self


class PolicyIn(StrictModel):
    """A policy. `budget`: gross money in a UTC month, in the currency of top-ups; `dry_run`: only say."""

    name: Name
    selector: Selector = Selector(by=SelectBy.ALL)
    trigger: Trigger
    max_per_sim_per_month: Most = 1
    budget_per_month: Budget
    approval_above_sims: Sims | None = None
    payment_method: PaymentMethod | None = None
    dry_run: bool = False
    enabled: bool = True

    def columns(self) -> dict[str, Any]:
        """For the entity."""
        return _columns(self, set(type(self).model_fields))


class PolicyPatch(StrictModel):
    """What to change of a policy; what is left out stays."""

    name: Name | None = None
    selector: Selector | None = None
    trigger: Trigger | None = None
    max_per_sim_per_month: Most | None = None
    budget_per_month: Budget | None = None
    approval_above_sims: Sims | None = None
    payment_method: PaymentMethod | None = None
    dry_run: bool | None = None
    enabled: bool | None = None

    @model_validator(mode="after")
    def _nothing_emptied(self) -> Self:
        for name in self.model_fields_set - {"approval_above_sims", "payment_method"}:
            if getattr(self, name) is None:
                raise ValueError(f"{name} cannot be null")
        return self

    def columns(self) -> dict[str, Any]:
        """For the entity."""
        return _columns(self, self.model_fields_set)


_RENAMED = {
    "max_per_sim_per_month": "most_per_sim",
    "budget_per_month": "budget",
    "approval_above_sims": "approval_above",
}


def _columns(body: PolicyIn | PolicyPatch, names: set[str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name in names:
        value = getattr(body, name)
        if isinstance(value, Selector):
            values |= value.columns()
        elif isinstance(value, Trigger):
            values |= value.model_dump()
        else:
            values[_RENAMED.get(name, name)] = value
    return values


class PolicyOut(ResponseModel):
    """A policy; `spent_this_month` includes what may yet cost money."""

    id: UUID
    organization_id: UUID
    name: str
    selector: Selector
    trigger: Trigger
    max_per_sim_per_month: int
    budget_per_month: Money
    spent_this_month: Money
    approval_above_sims: int | None
    payment_method: PaymentMethod | None
    dry_run: bool
    enabled: bool
    created_by: UUID
    evaluated_at: Timestamp | None
    created_at: Timestamp
    updated_at: Timestamp
    deleted_at: Timestamp | None

    @classmethod
    def of(cls, kept: Kept) -> "PolicyOut":
        """The policy with what it spent."""
        policy = kept.policy
        same = {
            name: getattr(policy, name)
            for name in cls.model_fields
            if hasattr(policy, name) and name != "trigger"
        }
        return cls(
            **same,
            selector=Selector(by=SelectBy(policy.select_by), tags=policy.tags, iccids=policy.iccids),
            trigger=_trigger(policy),
            max_per_sim_per_month=policy.most_per_sim,
            budget_per_month=policy.budget,
            spent_this_month=kept.spent,
            approval_above_sims=policy.approval_above,
        )


def _trigger(policy: Policy) -> Trigger:
    return Trigger(
        forecast_below_days=policy.forecast_below_days, remaining_below_percent=policy.remaining_below_percent
    )


class ProposalOut(ResponseModel):
    """What a policy would buy if an admin approves, at the price expected then."""

    id: UUID
    policy_id: UUID
    state: ProposalState
    iccids: list[str]
    amount: Money
    currency: str
    decided_by: UUID | None
    decided_at: Timestamp | None
    created_at: Timestamp

    @classmethod
    def of(cls, proposal: Proposal) -> "ProposalOut":
        """The proposal."""
        return cls.model_validate(proposal)


class DecisionOut(ResponseModel):
    """A decision about a SIM and the facts that it rests on; `times`: how often it was made that day."""

    id: UUID
    iccid: str
    decision: Decision
    reason: Reason
    top_up_id: UUID | None
    proposal_id: UUID | None
    facts: dict[str, Any]
    times: int
    last_at: Timestamp
    created_at: Timestamp

    @classmethod
    def of(cls, decision: PolicyDecision) -> "DecisionOut":
        """The decision."""
        return cls.model_validate(decision)


class DecisionQuery(StrictModel):
    """Filters of decisions."""

    model_config = ConfigDict(extra="ignore")

    decision: Decision | None = None
    reason: Reason | None = None
    iccid: Iccid | None = None

    def filter(self) -> DecisionFilter:
        """The filter for the repository."""
        return DecisionFilter(**self.model_dump())
