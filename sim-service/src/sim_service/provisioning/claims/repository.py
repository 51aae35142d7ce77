"""Which SIMs an organisation may claim without a code."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from sim_service.billing.orders.models import OrderItem
from sim_service.billing.orders.queries import ordered_iccids
from sim_service.platform.database import among


class ClaimRepository:
    """The SIMs of one organisation's own orders."""

    def __init__(self, session: AsyncSession, organization_id: UUID) -> None:
        self._session, self._organization_id = session, organization_id

    async def ordered(self, iccids: Collection[str]) -> set[str]:
        """Those of the SIMs that came with orders which the organisation placed."""
        statement = ordered_iccids(self._organization_id).where(among(OrderItem.iccid, iccids))
        return set((await self._session.execute(statement)).scalars())
