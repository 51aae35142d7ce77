"""What other features may ask about stored quotas."""

from collections.abc import Collection, Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.scope import EVERYTHING
from sim_service.carrier.models import QuotaKind
from sim_service.usage.quotas.models import SimQuota
from sim_service.usage.quotas.repository import QuotaRepository


async def stored_quotas(
    session: AsyncSession, iccids: Collection[str], kind: QuotaKind
) -> Sequence[SimQuota]:
    """The quotas of SIMs of any organisation as last read from the carrier; SIMs never read are left out."""
    return await QuotaRepository(session, EVERYTHING).find_many(iccids, kind)
