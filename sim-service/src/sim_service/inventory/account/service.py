"""The rules of the whole account: named SIMs must exist, and only unclaimed SIMs may leave it."""

from collections.abc import Sequence

from fleet_kit.database import Sessions
from fleet_kit.errors import Conflict
from fleet_kit.scope import EVERYTHING
from sim_service.carrier.base import Carrier
from sim_service.carrier.models import Priority, VolumeLimit, VolumeLimits
from sim_service.inventory.account.schemas import LimitKind, LimitsIn
from sim_service.inventory.sims.models import Sim
from sim_service.inventory.sims.service import SimService, require_all


class AccountService:
    """Asks the carrier at once; its failures are the caller's answer."""

    def __init__(self, sessions: Sessions, carrier: Carrier) -> None:
        self._sessions, self._carrier = sessions, carrier

    async def limits(self) -> VolumeLimits:
        return await self._carrier.limits(priority=Priority.INTERACTIVE)

    async def choices(self, kind: LimitKind) -> list[VolumeLimit]:
        return await self._carrier.limit_choices(kind, priority=Priority.INTERACTIVE)

    async def set_limits(self, wanted: LimitsIn) -> VolumeLimits:
        """Set limits; raises CarrierRejected for what is no choice. What the carrier has afterwards."""
        await self._carrier.set_limits(**wanted.model_dump(), priority=Priority.INTERACTIVE)
        return await self.limits()

    async def set_auto_top_up(self, iccids: Sequence[str], *, enabled: bool) -> None:
        """Switch the carrier's own top-ups; on, for SIMs that nobody owns.

        Raises NotFound naming unknown SIMs, Conflict naming those with an owner.
        """
        known = await self._known(iccids)
        if enabled:
            _refuse_owned(known, "the carrier's own top-ups know no budget; policies top up claimed SIMs")
        await self._carrier.set_auto_top_up(iccids, enabled=enabled, priority=Priority.INTERACTIVE)

    async def transfer(self, iccids: Sequence[str], target: int) -> list[str]:
        """Have SIMs given away; raises NotFound naming unknown SIMs, Conflict naming those with an owner."""
        _refuse_owned(
            await self._known(iccids), "SIMs that belong to an organisation stay; release them first"
        )
        wanted = list(dict.fromkeys(iccids))
        await self._carrier.transfer_sims(wanted, target, priority=Priority.INTERACTIVE)
        return wanted

    async def _known(self, iccids: Sequence[str]) -> Sequence[Sim]:
        async with self._sessions() as session:
            found = await SimService(session, EVERYTHING).some(iccids)
        require_all(iccids, found)
        return found


def _refuse_owned(sims: Sequence[Sim], reason: str) -> None:
    """Raise Conflict naming those of the SIMs that an organisation owns."""
    if owned := [sim.iccid for sim in sims if sim.organization_id is not None]:
        raise Conflict(reason, code="SIM_CLAIMED", details={"iccids": owned})
