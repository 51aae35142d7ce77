"""The rule of claims: whoever claims a SIM proves a right to it; a claim takes all of its SIMs or none.

The proofs are an order that the organisation placed, a claim code, or the platform administrator's own word.
"""

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.errors import NotFound
from fleet_kit.scope import EVERYTHING, Scope
from sim_service.inventory.devices.service import DeviceService
from sim_service.inventory.links.service import LinkService
from sim_service.inventory.sims.service import SimService, not_found
from sim_service.provisioning.claim_codes.service import ClaimCodeService
from sim_service.provisioning.claims.repository import ClaimRepository
from sim_service.provisioning.claims.schemas import ClaimOut
from sim_service.usage.streamer.service import assign_to_owners


class ClaimService:
    """Claims for one organisation."""

    def __init__(self, session: AsyncSession, organization_id: UUID) -> None:
        self._session, self._organization_id = session, organization_id
        self._sims = SimService(session, EVERYTHING)

    async def assign(self, iccids: Sequence[str]) -> ClaimOut:
        """By the platform administrator; raises NotFound naming those that are unknown or another's."""
        wanted = sorted(set(iccids))
        if (out := await self._take(wanted, wanted)) is None:
            raise not_found(await self._not_free(wanted))
        return out

    async def claim(self, iccids: Sequence[str]) -> ClaimOut:
        """By the organisation; raises the one refusal, whatever the reason."""
        wanted = sorted(set(iccids))
        ordered = await ClaimRepository(self._session, self._organization_id).ordered(wanted)
        if (out := await self._take(wanted, ordered)) is None:
            raise claim_refused()
        return out

    async def redeem(self, code: str, user_id: UUID) -> ClaimOut:
        """With a claim code, which is used up; raises the one refusal, whatever the reason."""
        wanted = await ClaimCodeService(self._session).use(code, self._organization_id, user_id)
        if not wanted or (out := await self._take(wanted, wanted)) is None:
            raise claim_refused()
        return out

    async def _take(self, wanted: Sequence[str], proven: Collection[str]) -> ClaimOut | None:
        """Claim SIMs that are the organisation's own already or, if proven, nobody's; None if one is not."""
        scope = Scope(self._organization_id)
        owned = await SimService(self._session, scope).owned(wanted)
        if not owned.union(proven).issuperset(wanted):
            return None  # before anything is locked: the SIMs are none of this organisation's business
        devices = await DeviceService(self._session, scope).with_iccids(wanted)
        sims = await self._sims.locked(wanted)
        if len(sims) < len(wanted) or any(not self._is_claimable(sim.organization_id) for sim in sims):
            return None
        claimed = [sim for sim in sims if sim.claim(self._organization_id)]
        await self._session.flush()
        await LinkService(self._session, EVERYTHING).link_claimed(claimed, devices)
        await self._sims.publish_updated(*claimed)
        new = {sim.iccid for sim in claimed}
        await assign_to_owners(self._session, new)
        return ClaimOut(
            organization_id=self._organization_id,
            claimed=sorted(new),
            already_owned=[iccid for iccid in wanted if iccid not in new],
        )

    def _is_claimable(self, owner: UUID | None) -> bool:
        return owner in {None, self._organization_id}

    async def _not_free(self, wanted: Sequence[str]) -> list[str]:
        sims = await self._sims.some(wanted)
        free = {sim.iccid for sim in sims if self._is_claimable(sim.organization_id)}
        return [iccid for iccid in wanted if iccid not in free]


def claim_refused() -> NotFound:
    """The one answer for SIMs that are taken, unknown or not granted, and for codes of no use."""
    return NotFound(
        "these SIMs cannot be claimed: order them, or ask the platform administrator for a claim code",
        code="CLAIM_REFUSED",
    )
