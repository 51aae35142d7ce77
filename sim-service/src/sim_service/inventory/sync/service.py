"""Syncs one SIM while its caller waits."""

from uuid import UUID

from fleet_kit.database import Sessions
from fleet_kit.scope import EVERYTHING, Scope
from sim_service.carrier.base import Carrier
from sim_service.carrier.errors import CarrierForbidden, CarrierSimNotFound
from sim_service.carrier.models import Priority
from sim_service.inventory.sims.models import Sim
from sim_service.inventory.sims.service import SimService

MISSING_ERRORS = (CarrierSimNotFound, CarrierForbidden)
"""The carrier no longer has the SIM, or has it in another account."""


class SingleSimSync:
    """`owner_of_new`: the organisation that gets a SIM which is not yet known."""

    def __init__(
        self, sessions: Sessions, scope: Scope, carrier: Carrier, *, owner_of_new: UUID | None = None
    ) -> None:
        self._sessions, self._scope, self._carrier = sessions, scope, carrier
        self._owner_of_new = owner_of_new

    async def check(self, iccid: str) -> None:
        """Raise NotFound unless the SIM is in scope; a platform administrator may fetch one not yet known."""
        if self._scope != EVERYTHING:
            async with self._sessions() as session:
                await SimService(session, self._scope).get(iccid)

    async def run(self, iccid: str) -> Sim:
        """The SIM as the carrier has it now; raises the carrier's errors."""
        try:
            facts = await self._carrier.get_sim(iccid, priority=Priority.INTERACTIVE)
        except MISSING_ERRORS:
            async with self._sessions.begin() as session:
                sims = SimService(session, self._scope)
                await sims.mark_missing(iccid)
                return await sims.get(iccid)
        async with self._sessions.begin() as session:
            sims = SimService(session, self._scope)
            await sims.update_from_carrier([facts], self._carrier.name, owner_of_new=self._owner_of_new)
            sim = await sims.get(iccid, for_update=True)
            sim.mark_synced()
            return sim
