"""Leases each SIM to one worker, so that two changes of a SIM cannot overtake each other."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.database import Sessions
from fleet_kit.scope import EVERYTHING
from sim_service.carrier.models import Priority, SimChange, SimStatus
from sim_service.inventory.sims.models import Sim
from sim_service.inventory.sims.service import SimService
from sim_service.lifecycle.actions.models import ActionKind, SimAction
from sim_service.lifecycle.actions.repository import ActionRepository

_CANDIDATES = 20
"""More than one, since other workers may lease the first ones at the same moment."""


@dataclass(frozen=True, slots=True)
class LeasedSim:
    """A leased SIM with its open actions; `change`: what of them has to be sent to the carrier."""

    iccid: str
    organization_id: UUID | None
    action_ids: tuple[UUID, ...]
    change: SimChange | None
    priority: Priority
    until: datetime


async def lease_next_sim(
    sessions: Sessions, lease: timedelta, *, background_first: bool = False
) -> LeasedSim | None:
    """Lease a SIM with an action or a drift check that is due; None if there is none."""
    async with sessions.begin() as session:
        actions = ActionRepository(session, EVERYTHING)
        sims = SimService(session, EVERYTHING)
        for iccid in await actions.due(_CANDIDATES, background_first=background_first):
            for sim in await sims.locked_if_free([iccid]):
                if (leased := await _lease(session, sim, lease)) is not None:
                    return leased
    return None


async def _lease(session: AsyncSession, sim: Sim, lease: timedelta) -> LeasedSim | None:
    actions = ActionRepository(session, EVERYTHING)
    # By the clock that the lease is judged with.
    now = (await session.execute(select(func.now()))).scalar_one()
    until = now + lease
    if await actions.leased(sim.iccid):
        return None
    found = await actions.open([sim.iccid])
    due = [sim.drift_due_at, *(action.due_at for action in found)]
    if not any(at is not None and at <= now for at in due):
        return None  # another worker was done with it after it had been found
    if sim.drift_due_at is not None:
        sim.drift_due_at = until
    for action in found:
        action.lease(until)
    urgent = any(action.priority == 0 for action in found)
    return LeasedSim(
        sim.iccid,
        sim.organization_id,
        tuple(action.id for action in found),
        _change(found, now),
        Priority.INTERACTIVE if urgent else Priority.BACKGROUND,
        until,
    )


def _change(actions: Sequence[SimAction], now: datetime) -> SimChange | None:
    wanted: dict[str, Any] = {action.what: action.wanted for action in actions if action.to_send(now)}
    if ActionKind.STATUS in wanted:
        wanted[ActionKind.STATUS] = SimStatus(wanted[ActionKind.STATUS])
    return SimChange(**wanted) if wanted else None
