"""What other features may ask about releases."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from sim_service.inventory.releases.models import SimRelease


async def last_release_by_others(session: AsyncSession, iccid: str, owner: UUID | None) -> datetime | None:
    """When an organisation other than the owner last gave the SIM back, None where none ever did."""
    released = select(func.max(SimRelease.released_at)).where(
        SimRelease.iccid == iccid, SimRelease.organization_id != owner
    )
    return (await session.execute(released)).scalar_one()
