"""HTTP shape of a budget."""

from uuid import UUID

from fleet_kit.schemas import ResponseModel
from sim_service.billing.budgets.service import Allowance
from sim_service.platform.amounts import Money


class BudgetOut(ResponseModel):
    """A UTC month's money; `spent` also counts what is under way or waits for approval, by currency.

    `remaining` is in the budget's currency, and zero while something was spent in another one. `sms_used`:
    parts of messages of this month, also of those that are planned.
    """

    organization_id: UUID
    month: str
    budget_per_month: Money
    currency: str
    spent: dict[str, Money]
    remaining: Money
    sms_per_month: int
    sms_used: int

    @classmethod
    def of(cls, allowance: Allowance, *, sms_used: int) -> "BudgetOut":
        grant = allowance.grant
        return cls(
            organization_id=grant.organization_id,
            month=f"{allowance.at:%Y-%m}",
            budget_per_month=grant.budget_per_month,
            currency=grant.currency,
            spent=allowance.spent,
            remaining=allowance.remaining,
            sms_per_month=grant.sms_per_month,
            sms_used=sms_used,
        )
