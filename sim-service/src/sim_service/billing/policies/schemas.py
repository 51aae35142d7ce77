"""HTTP shapes of policies."""

from decimal import Decimal
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import ConfigDict, Field, model_validator

from fleet_kit.schemas import LineText, QueryModel, ResponseModel, StrictModel, Timestamp
from sim_service.billing.policies.models import Decision, ProposalState, Reason, SelectBy
from sim_service.billing.policies.service import PolicyWithSpending
from sim_service.carrier.models import PaymentMethod
from sim_service.inventory.sims.fields import MAX_TAGS, Tag
from sim_service.platform.amounts import Money
from sim_service.platform.iccid import Iccid

Name = Annotated[LineText, Field(min_length=1, max_length=100)]
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


def columns_of(body: PolicyIn | PolicyPatch) -> dict[str, Any]:
    """The columns that a request sets: of a patch those that it names."""
    values = body.model_dump(exclude={"selector", "trigger"}, exclude_unset=isinstance(body, PolicyPatch))
    if body.selector:
        values |= body.selector.columns()
    if body.trigger:
        values |= body.trigger.model_dump()
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
    def of(cls, found: PolicyWithSpending) -> "PolicyOut":
        policy, spent = found
        made = {
            "selector": Selector(by=SelectBy(policy.select_by), tags=policy.tags, iccids=policy.iccids),
            "trigger": Trigger.model_validate(policy, from_attributes=True),
            "spent_this_month": spent,
        }
        return cls(**{name: getattr(policy, name) for name in cls.model_fields if name not in made}, **made)


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


class DecisionQuery(QueryModel):
    """Filters of decisions."""

    model_config = ConfigDict(extra="ignore")

    decision: Decision | None = None
    reason: Reason | None = None
    iccid: Iccid | None = None
