"""The sum of all purchases of an organisation, whatever their table."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import Select, func, select, union_all
from sqlalchemy.ext.asyncio import AsyncSession

from sim_service.billing.purchases.models import COUNTED
from sim_service.platform.database import Base

PURCHASE_TABLES = {"top_ups": "created_at", "order_requests": "counted_at"}
"""Every table of purchases, and its moment that says in which month a purchase counts.

By name, since the features that own them book their purchases through this one.
"""


class SpendingRepository:
    """Spending of one organisation; the caller names it, whoever asks."""

    def __init__(self, session: AsyncSession, organization_id: UUID) -> None:
        self._session, self._organization_id = session, organization_id

    async def spent(self, since: datetime, *, without: UUID | None = None) -> dict[str, Decimal]:
        """Gross money by currency that purchases since a moment cost or may yet cost.

        `without`: the id of a purchase that is left out.
        """
        rows = union_all(*(self._counted(name, since, without) for name in PURCHASE_TABLES)).subquery()
        statement = select(rows.c.currency, func.sum(rows.c.amount)).group_by(rows.c.currency)
        found = (await self._session.execute(statement)).all()
        return {currency: amount for currency, amount in found if amount}

    def _counted(self, name: str, since: datetime, without: UUID | None) -> Select[str, Decimal]:
        table = Base.metadata.tables[name]
        statement = select(table.c.currency, table.c.amount).where(
            table.c.organization_id == self._organization_id,
            table.c[PURCHASE_TABLES[name]] >= since,
            table.c.state.in_(COUNTED),
        )
        return statement if without is None else statement.where(table.c.id != without)
