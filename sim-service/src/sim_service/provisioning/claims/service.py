"""The rule of claims: a SIM has one owner; a claim takes all of its SIMs or none."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.scope import EVERYTHING, Scope
from sim_service.inventory.devices.service import DeviceService
from sim_service.inventory.links.service import LinkService
from sim_service.inventory.sims.service import SimService, not_found
from sim_service.provisioning.claims.schemas import ClaimOut
from sim_service.usage.streamer.service import assign_to_owners


class ClaimService:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session
        self._sims = SimService(session, EVERYTHING)

    async def claim(self, iccids: Sequence[str], organization_id: UUID) -> ClaimOut:
        """Claim them; raises NotFound naming those that are unknown or belong to somebody else."""
        wanted = sorted(set(iccids))
        devices = await DeviceService(self._session, Scope(organization_id)).with_iccids(wanted)
        found = {
            sim.iccid: sim
            for sim in await self._sims.locked(wanted)
            if sim.organization_id in {None, organization_id}
        }
        if refused := [iccid for iccid in wanted if iccid not in found]:
            raise not_found(refused)
        claimed = [sim for sim in found.values() if sim.claim(organization_id)]
        await self._session.flush()
        await LinkService(self._session, EVERYTHING).link_claimed(claimed, devices)
        await self._sims.publish_updated(*claimed)
        new = {sim.iccid for sim in claimed}
        await assign_to_owners(self._session, new)
        return ClaimOut(
            organization_id=organization_id,
            claimed=sorted(new),
            already_owned=[iccid for iccid in wanted if iccid not in new],
        )
