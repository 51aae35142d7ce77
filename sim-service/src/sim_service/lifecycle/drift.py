"""What to do about a SIM whose status somebody changed past us, such as in the carrier's own portal."""

from datetime import UTC, datetime, timedelta
from typing import Literal

from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.scope import EVERYTHING
from sim_service.carrier.facts import CarrierSim, Priority, SimChange, SimStatus
from sim_service.lifecycle.models import ActionKind, ActionState, SimAction
from sim_service.lifecycle.repository import ActionRepository
from sim_service.lifecycle.service import LifecycleService
from sim_service.sims.models import Lifecycle, Sim

DriftPolicy = Literal["report", "correct", "adopt"]
"""Report: a person decides. Correct: bring the wanted status back. Adopt: want what the carrier has."""

_LOOK_AGAIN = timedelta(seconds=60)
_DONE = {
    "report": "left for somebody to decide",
    "correct": "it is being set back",
    "adopt": "taken as wanted from now on",
}


async def judge(session: AsyncSession, sim: Sim, facts: CarrierSim | None, policy: DriftPolicy) -> None:
    """Deal with a SIM, locked, that stood in another status than wanted; `facts`: as just looked up.

    Lists may be older than what was done meanwhile, so only an answer about the SIM itself is believed.
    """
    if facts is None:
        sim.drift_due_at = datetime.now(UTC) + _LOOK_AGAIN
        return
    desired = sim.desired_status
    if sim.lifecycle != Lifecycle.DRIFTED or desired is None or sim.organization_id is None:
        sim.drift_due_at = None
        return
    ActionRepository(session, EVERYTHING).add(_note(sim, desired, policy))
    sim.settle(sim.status if policy == "adopt" else desired)
    await session.flush()
    if policy == "correct":
        wanted = SimChange(status=SimStatus(desired))
        lifecycle = LifecycleService(session, EVERYTHING)
        await lifecycle.request(sim.iccid, wanted, by=None, priority=Priority.BACKGROUND)


def _note(sim: Sim, desired: str, policy: DriftPolicy) -> SimAction:
    note = SimAction(
        iccid=sim.iccid, organization_id=sim.organization_id, what=ActionKind.DRIFT, wanted=sim.status
    )
    note.finish(
        ActionState.CONFIRMED, f"wanted {desired}, found {sim.status} at the carrier: {_DONE[policy]}"
    )
    return note
