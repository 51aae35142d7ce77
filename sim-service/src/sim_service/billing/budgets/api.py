"""HTTP: what is left of a month's budget."""

from uuid import UUID

from fastapi import APIRouter

from fleet_kit.database import DbSession
from fleet_kit.errors import Forbidden
from fleet_kit.openapi import raises
from fleet_kit.principal import CurrentUser, Role
from sim_service.billing.budgets.schemas import BudgetOut
from sim_service.billing.budgets.service import BudgetService
from sim_service.grants.service import GrantService

router = APIRouter(prefix="/sim/grants", tags=["grants"])


@router.get("/{organization_id}/budget")
@raises(Forbidden)
async def read_budget(organization_id: UUID, user: CurrentUser, session: DbSession) -> BudgetOut:
    """This month's money and SMS: its own for an admin, any organisation's for the platform administrator."""
    owner = user.acts_for(organization_id)
    user.require(Role.ADMIN)
    allowance = await BudgetService(session, user.scope).read(owner)
    sms_used = await GrantService(session, user.scope).sms_used(owner, allowance.at)
    return BudgetOut.of(allowance, sms_used=sms_used)
