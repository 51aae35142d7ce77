"""Handles a SIM whose status was changed by somebody else, such as in the carrier's own portal."""

from datetime import UTC, datetime, timedelta
from typing import Literal

from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.scope import EVERYTHING
from sim_service.carrier.models import CarrierSim, Priority, SimChange, SimStatus
from sim_service.inventory.sims.models import Lifecycle, Sim
from sim_service.lifecycle.actions.models import ActionKind, ActionState, SimAction
from sim_service.lifecycle.actions.repository import ActionRepository
from sim_service.lifecycle.actions.service import ActionService

DriftPolicy = Literal["report", "correct", "adopt"]
"""report: record it only; correct: set the wanted status again; adopt: want the present status."""

_RECHECK_AFTER = timedelta(seconds=60)
_DONE = {
    "report": "left for somebody to decide",
    "correct": "it is being set back",
    "adopt": "taken as wanted from now on",
}


async def handle_drift(session: AsyncSession, sim: Sim, read: CarrierSim | None, policy: DriftPolicy) -> None:
    """Apply the policy to a locked SIM whose status is not the wanted one.

    `read`: the SIM as just read; without it the check is deferred, since lists may be older than the last
    change.
    """
    if read is None:
        sim.drift_due_at = datetime.now(UTC) + _RECHECK_AFTER
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
        lifecycle = ActionService(session, EVERYTHING)
        await lifecycle.request(sim.iccid, wanted, by=None, priority=Priority.BACKGROUND)


def _note(sim: Sim, desired: str, policy: DriftPolicy) -> SimAction:
    note = SimAction(
        iccid=sim.iccid, organization_id=sim.organization_id, what=ActionKind.DRIFT, wanted=sim.status
    )
    note.finish(
        ActionState.CONFIRMED, f"wanted {desired}, found {sim.status} at the carrier: {_DONE[policy]}"
    )
    return note
