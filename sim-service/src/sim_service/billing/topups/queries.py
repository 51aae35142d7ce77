"""What other features may ask about the ledger."""

from collections.abc import Collection
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.scope import EVERYTHING
from sim_service.billing.purchases.models import SPENT
from sim_service.billing.purchases.queries import month_start
from sim_service.billing.topups.models import TopUp
from sim_service.billing.topups.repository import TopUpRepository
from sim_service.platform.database import among


async def spent_in_month(session: AsyncSession, policy_id: UUID, now: datetime) -> Decimal:
    """Gross money that a policy has spent, or may yet have, in the UTC month of `now`."""
    amount = select(func.coalesce(func.sum(TopUp.amount), 0)).where(*_counted(policy_id, now))
    return Decimal((await session.execute(amount)).scalar_one())


async def bought_in_month(
    session: AsyncSession, policy_id: UUID, iccids: Collection[str], now: datetime
) -> dict[str, int]:
    """How many purchases a policy made for each SIM that has any in the UTC month of `now`."""
    mine = (*_counted(policy_id, now), among(TopUp.iccid, iccids))
    statement = select(TopUp.iccid, func.count()).where(*mine).group_by(TopUp.iccid)
    return {row[0]: row[1] for row in (await session.execute(statement)).all()}


async def with_open_purchase(session: AsyncSession, iccids: Collection[str], owner: UUID) -> set[str]:
    """Those of an organisation's SIMs with a purchase that is in the way of another one."""
    pending = await TopUpRepository(session, EVERYTHING).pending(iccids)
    return {row.iccid for row in pending if row.blocks(owner)}


def _counted(policy_id: UUID, now: datetime) -> tuple[ColumnElement[bool], ...]:
    return TopUp.policy_id == policy_id, TopUp.created_at >= month_start(now), TopUp.state.in_(SPENT)
