"""SIMs that leave for another organisation."""

from once_sandbox.errors import ApiError
from once_sandbox.events import models as kinds
from once_sandbox.events.service import record
from once_sandbox.sims.models import ORGANISATION
from once_sandbox.sims.service import owned
from once_sandbox.world import World

OTHER_ORGANISATION = 26_999
"""Where SIMs go if the request names no target."""


def transfer(world: World, iccids: list[str], ranges: list[tuple[str, str]], target: int | None) -> None:
    """Queue the transfer; raises ApiError 400 for nothing to do, 404 for unknown SIMs."""
    if target == ORGANISATION:
        raise ApiError(400, "target_organisation: the SIMs are already there")
    chosen = [owned(world, iccid).iccid for iccid in iccids]
    for first, last in ranges:
        chosen += [sim.iccid for sim in world.sims.own() if first <= sim.iccid <= last]
    if not chosen:
        raise ApiError(400, "iccids, iccid_ranges: no SIM to transfer")
    due = world.clock.now() + world.behaviours.bulk_lag_seconds
    world.schedule.plan(due, "sims.release", iccids=chosen, target=target or OTHER_ORGANISATION)


def release(world: World, *, iccids: list[str], target: int) -> None:
    """The SIMs belong to somebody else from now on."""
    for sim in filter(None, map(world.sims.get, iccids)):
        record(world, sim, kinds.RELEASED)
        sim.organisation = target
