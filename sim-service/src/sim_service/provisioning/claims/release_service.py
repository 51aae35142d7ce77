"""The rule of releases: a SIM goes back to nobody, what it did stays with the organisation that had it."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.scope import Scope
from sim_service.inventory.links.service import LinkService
from sim_service.inventory.releases.service import ReleaseHistory
from sim_service.inventory.sims.service import SimService, require_all
from sim_service.lifecycle.actions.service import ActionService
from sim_service.usage.quotas.service import forget_quotas


class ReleaseService:
    def __init__(self, session: AsyncSession, scope: Scope) -> None:
        self._session, self._scope = session, scope
        self._releases = ReleaseHistory(session, scope)

    async def check(self, iccids: Sequence[str]) -> None:
        """Raise NotFound naming those that are unknown or belong to somebody else."""
        require_all(iccids, await SimService(self._session, self._scope).some(iccids))

    async def release(self, iccids: Sequence[str], by: UUID) -> list[str]:
        """Release them all or none; raises NotFound, or Conflict for an unclaimed one."""
        wanted = sorted(set(iccids))
        sims = await LinkService(self._session, self._scope).unlink_all(wanted)
        require_all(wanted, sims)
        lifecycle = ActionService(self._session, self._scope)
        for sim in sims:
            self._releases.record(sim, by)
            await lifecycle.supersede_open(sim.iccid, "the SIM was released")
            sim.release()
        await forget_quotas(self._session, self._scope, wanted)
        return [sim.iccid for sim in sims]
