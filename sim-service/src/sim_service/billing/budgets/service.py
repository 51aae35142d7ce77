"""The rule of budgets: whoever books a purchase takes its money from what is granted, one at a time.

Nothing is kept beside the purchases themselves: what counts is what they cost or may yet cost. So a purchase
that failed gives its money back by itself, and the real price replaces the expected one.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.errors import Conflict, FleetError
from fleet_kit.scope import EVERYTHING, Scope
from sim_service.billing.budgets.repository import SpendingRepository
from sim_service.billing.purchases.queries import month_start
from sim_service.grants.models import Grant, Switch
from sim_service.grants.service import GrantService, not_granted

BUDGET_EXCEEDED = "BUDGET_EXCEEDED"


@dataclass(slots=True)
class Allowance:
    """What an organisation has left in the month of the moment `at`; `spent` by currency.

    Whoever books by it has the purchase count at that same moment: the transaction may have begun in the
    month before and waited for the grant's lock.
    """

    grant: Grant
    spent: dict[str, Decimal]
    at: datetime

    @property
    def remaining(self) -> Decimal:
        """Money left; what was spent in another currency than the budget's leaves none."""
        if any(currency != self.grant.currency for currency in self.spent):
            return Decimal(0)
        return max(Decimal(0), self.grant.budget_per_month - self.spent.get(self.grant.currency, Decimal(0)))

    def refusal(self, switch: Switch, amount: Decimal, currency: str) -> FleetError | None:
        """Why a purchase may not be made, None if it may."""
        if not self.grant.allows(switch):
            return not_granted(self.grant.organization_id, switch)
        if currency == self.grant.currency and amount <= self.remaining:
            return None
        return Conflict(
            f"this costs {amount:.2f} {currency}, and {self.remaining:.2f} {self.grant.currency} of this"
            " month's budget are left",
            code=BUDGET_EXCEEDED,
            details={
                "amount": f"{amount:.2f}",
                "currency": currency,
                "budget": f"{self.grant.budget_per_month:.2f}",
                "budget_currency": self.grant.currency,
                "remaining": f"{self.remaining:.2f}",
            },
        )

    def take(self, switch: Switch, amount: Decimal, currency: str) -> None:
        """Take a purchase's money; raises Forbidden NOT_GRANTED, Conflict BUDGET_EXCEEDED."""
        if (refusal := self.refusal(switch, amount, currency)) is not None:
            raise refusal
        if amount:
            self.spent[currency] = self.spent.get(currency, Decimal(0)) + amount


class BudgetService:
    """Budgets as a scope sees them; whoever books a purchase does so with EVERYTHING."""

    def __init__(self, session: AsyncSession, scope: Scope = EVERYTHING) -> None:
        self._session, self._scope = session, scope

    async def reserve(self, organization_id: UUID, *, without: UUID | None = None) -> Allowance:
        """What is left, under the lock of the grant until the commit: book in this transaction.

        `without`: a purchase that is counted already and is weighed again.
        """
        return await self._allowance(organization_id, for_update=True, without=without)

    async def read(self, organization_id: UUID) -> Allowance:
        """What is left, to be shown."""
        return await self._allowance(organization_id, for_update=False)

    async def _allowance(
        self, organization_id: UUID, *, for_update: bool, without: UUID | None = None
    ) -> Allowance:
        grants = GrantService(self._session, self._scope)
        grant = await grants.get(organization_id, for_update=for_update)
        now = datetime.now(UTC)  # not before the lock is held
        spending = SpendingRepository(self._session, organization_id)
        return Allowance(grant, await spending.spent(month_start(now), without=without), now)
