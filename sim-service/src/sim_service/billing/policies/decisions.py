"""One round of decisions about SIMs, within one transaction."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from fleet_kit.errors import FleetError
from sim_service.billing.budgets.service import BUDGET_EXCEEDED, Allowance
from sim_service.billing.policies.models import Decision, Policy, Proposal, Reason
from sim_service.billing.products.service import Quote
from sim_service.grants.models import Switch
from sim_service.grants.service import NOT_GRANTED
from sim_service.usage.quotas.models import SimQuota

_REFUSALS = {NOT_GRANTED: Reason.NOT_GRANTED, BUDGET_EXCEEDED: Reason.GRANTED_BUDGET}


@dataclass(slots=True)
class EvaluationRun:
    """`left`: of the policy's own budget; `allowance`: of what its organisation is granted."""

    policy: Policy
    price: Quote
    left: Decimal
    allowance: Allowance
    bought: dict[str, int]
    open: set[str]
    rows: list[dict[str, Any]] = field(default_factory=list)
    wanted: dict[str, Reason] = field(default_factory=dict)

    def note(self, quota: SimQuota, decision: Decision, reason: Reason, **more: Any) -> None:
        facts = {
            "remaining": float(quota.remaining),
            "total": float(quota.total),
            "exhausted_on": quota.exhausted_on.isoformat() if quota.exhausted_on else None,
            "price": f"{self.price.amount:.2f} {self.price.currency}",
            "budget_left": f"{self.left:.2f}",
        }
        self.rows.append({**names(self.policy, quota.iccid), "decision": decision, "reason": reason,
                          "facts": facts, **more})  # fmt: skip

    def decide(self, quota: SimQuota, reason: Reason) -> None:
        """Want volume for a SIM, or say what is in the way."""
        policy, iccid = self.policy, quota.iccid
        hindered = policy.skip_reason(quota, in_progress=iccid in self.open, bought=self.bought.get(iccid, 0))
        hindered = hindered or self._short_of_money()
        if hindered is not None:
            self.note(quota, Decision.SKIPPED, hindered)
            return
        self.left -= self.price.amount
        self.allowance.take(Switch.TOP_UPS, self.price.amount, self.price.currency)
        self.wanted[iccid] = reason

    def refuse(self, quota: SimQuota, error: FleetError) -> None:
        """The ledger did not enter what was wanted."""
        self.note(quota, Decision.SKIPPED, _REFUSALS.get(error.code, Reason.IN_PROGRESS))

    def _short_of_money(self) -> Reason | None:
        if not self.allowance.grant.allows(Switch.TOP_UPS):
            return Reason.NOT_GRANTED
        if self.price.amount > self.left:
            return Reason.BUDGET
        refused = self.allowance.refusal(Switch.TOP_UPS, self.price.amount, self.price.currency)
        return Reason.GRANTED_BUDGET if refused is not None else None


def names(policy: Policy, iccid: str) -> dict[str, Any]:
    """The columns of a decision that name its subject."""
    return {"organization_id": policy.organization_id, "policy_id": policy.id, "iccid": iccid}


def proposal_of(current: EvaluationRun) -> Proposal:
    return Proposal(
        organization_id=current.policy.organization_id,
        policy_id=current.policy.id,
        iccids=list(current.wanted),
        amount=current.price.amount * len(current.wanted),
        currency=current.price.currency,
        created_at=datetime.now(UTC),
    )
