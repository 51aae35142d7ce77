"""Who works on which SIM: one worker at a time, so that two wishes of one SIM cannot overtake each other."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.database import Sessions
from fleet_kit.scope import EVERYTHING
from sim_service.carrier.facts import Priority, SimChange, SimStatus
from sim_service.lifecycle.models import ActionKind, SimAction
from sim_service.lifecycle.repository import ActionRepository
from sim_service.sims.models import Sim
from sim_service.sims.service import SimService

_CANDIDATES = 20
"""So many are looked at: others may take the first ones at the same moment."""


@dataclass(frozen=True, slots=True)
class Work:
    """A SIM in a worker's hands: its open actions, and what of them the carrier has to be told."""

    iccid: str
    action_ids: tuple[UUID, ...]
    change: SimChange | None
    priority: Priority


async def take_work(sessions: Sessions, lease: timedelta) -> Work | None:
    """Take a SIM that needs something now and that no other worker is at."""
    async with sessions.begin() as session:
        actions = ActionRepository(session, EVERYTHING)
        sims = SimService(session, EVERYTHING)
        candidates = dict.fromkeys([*await actions.due(_CANDIDATES), *await sims.drifted(_CANDIDATES)])
        for iccid in candidates:
            for sim in await sims.locked_if_free([iccid]):
                if (work := await _take(session, sim, lease)) is not None:
                    return work
    return None


async def _take(session: AsyncSession, sim: Sim, lease: timedelta) -> Work | None:
    actions = ActionRepository(session, EVERYTHING)
    now = datetime.now(UTC)
    if await actions.leased(sim.iccid):
        return None
    found = await actions.open([sim.iccid])
    if sim.drift_due_at is not None:
        sim.drift_due_at = now + lease
    for action in found:
        action.lease(now + lease)
    urgent = any(action.priority == 0 for action in found)
    return Work(
        sim.iccid,
        tuple(action.id for action in found),
        _change(found, now),
        Priority.PEOPLE if urgent else Priority.BACKGROUND,
    )


def _change(actions: Sequence[SimAction], now: datetime) -> SimChange | None:
    wanted = {action.what: action.wanted for action in actions if action.to_send(now)}
    if not wanted:
        return None
    status, label = wanted.get(ActionKind.STATUS), wanted.get(ActionKind.LABEL)
    lock = wanted.get(ActionKind.IMEI_LOCK)
    return SimChange(
        status=None if status is None else SimStatus(str(status)),
        label=None if label is None else str(label),
        imei_lock=None if lock is None else bool(lock),
    )
