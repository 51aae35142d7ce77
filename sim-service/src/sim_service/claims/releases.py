"""The rule of releases: a SIM goes back to nobody, what it did stays with the organisation that had it."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.keyset import Found
from fleet_kit.pagination import PageParams
from fleet_kit.scope import Scope
from sim_service.claims.models import SimRelease
from sim_service.claims.repository import ReleaseRepository
from sim_service.lifecycle.service import LifecycleService
from sim_service.links.service import LinkService
from sim_service.quotas.repository import QuotaRepository
from sim_service.sims.models import Sim
from sim_service.sims.service import SimService, owner_of, require_all


class ReleaseService:
    """Releases as one organisation sees them."""

    def __init__(self, session: AsyncSession, scope: Scope) -> None:
        self._session, self._scope = session, scope
        self._releases = ReleaseRepository(session, scope)

    async def check(self, iccids: Sequence[str]) -> None:
        """Raise NotFound naming those that are unknown or belong to somebody else."""
        require_all(iccids, await SimService(self._session, self._scope).some(iccids))

    async def release(self, iccids: Sequence[str], by: UUID) -> list[str]:
        """Release them all or none; raises NotFound, or Conflict for an unclaimed one."""
        wanted = sorted(set(iccids))
        sims = await LinkService(self._session, self._scope).take_out_all(wanted)
        require_all(wanted, sims)
        lifecycle = LifecycleService(self._session, self._scope)
        for sim in sims:
            self._releases.add(_record(sim, by))
            await lifecycle.drop(sim.iccid, "the SIM was released")
            sim.release()
        await QuotaRepository(self._session, self._scope).forget(wanted)
        return [sim.iccid for sim in sims]

    async def find(self, paging: PageParams) -> Found[SimRelease]:
        """One page of what was released, newest first."""
        return await self._releases.page(paging)


def _record(sim: Sim, by: UUID) -> SimRelease:
    return SimRelease(
        iccid=sim.iccid,
        organization_id=owner_of(sim),
        label=sim.label,
        tags=list(sim.tags),
        released_by=by,
        released_at=datetime.now(UTC),
    )
