"""One round of decisions about SIMs, within one transaction."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sim_service.billing.policies.models import Decision, Policy, Proposal, Reason
from sim_service.billing.topups.ledger import Prices
from sim_service.usage.quotas.models import SimQuota


@dataclass(slots=True)
class EvaluationRun:
    policy: Policy
    price: Prices
    left: Decimal
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
        if hindered is None and self.price.amount > self.left:
            hindered = Reason.BUDGET
        if hindered is not None:
            self.note(quota, Decision.SKIPPED, hindered)
            return
        self.left -= self.price.amount
        self.wanted[iccid] = reason


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
