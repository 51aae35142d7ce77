"""Finding SIMs and changing them."""

from collections.abc import Callable, Sequence
from typing import Any

from once_sandbox.connectivity.sessions import detach
from once_sandbox.errors import UNKNOWN_SIM, ApiError
from once_sandbox.events import models as kinds
from once_sandbox.events.service import record
from once_sandbox.sims.models import ORGANISATION, Sim
from once_sandbox.sims.schemas import SimUpdate
from once_sandbox.world import World

_FIELDS: dict[str, Callable[[Sim], str]] = {
    "imei": lambda sim: sim.imei or "",
    "ip_address": lambda sim: sim.ip_address,
}


class UnknownSim(ApiError):
    """No SIM of this customer has the ICCID."""

    def __init__(self, iccid: str) -> None:
        super().__init__(404, f"SIM with ICCID {iccid[:40]} not found", code=UNKNOWN_SIM)


def owned(world: World, iccid: str) -> Sim:
    """The customer's SIM; raises UnknownSim, or ApiError 403 for one that went to another customer."""
    sim = world.sims.get(iccid)
    if sim is None:
        raise UnknownSim(iccid)
    if sim.organisation != ORGANISATION:
        raise ApiError(403, f"SIM with ICCID {iccid} does not belong to user")
    return sim


def changeable(world: World, iccids: Sequence[str]) -> list[Sim]:
    """The customer's SIMs; raises ApiError 422 naming those that have expired."""
    sims = [owned(world, iccid) for iccid in iccids]
    expired = [sim.iccid for sim in sims if sim.expired(world.clock.now())]
    if expired:
        names = ", ".join(expired[:20])
        message = (
            "The following SIMs are expired and cannot be modified via API. Only extensions are permitted: "
        )
        raise ApiError(422, message + names)
    return sims


def search(world: World, *, query: str | None, sort: str | None) -> list[Sim]:
    """The customer's SIMs, filtered by `imei:…,ip_address:…` and sorted by `-imei,ip_address`."""
    sims = world.sims.own()
    for part in filter(None, (query or "").split(",")):
        name, _, value = part.strip().partition(":")
        field = _field(name, "q")
        sims = [sim for sim in sims if field(sim) == value.strip()]
    for part in reversed(list(filter(None, (sort or "").split(",")))):
        sims.sort(key=_field(part.strip().lstrip("-"), "sort"), reverse=part.strip().startswith("-"))
    return sims


def _field(name: str, parameter: str) -> Callable[[Sim], str]:
    if name not in _FIELDS:
        raise ApiError(400, f"{parameter}: unknown field '{name[:40]}', expected one of {', '.join(_FIELDS)}")
    return _FIELDS[name]


def update(world: World, iccid: str, change: SimUpdate) -> None:
    """Change one SIM, at once or after the lag that the behaviours ask for."""
    if change.iccid not in {None, iccid}:
        raise ApiError(400, "iccid in the body differs from the one in the path")
    changeable(world, [iccid])
    _plan(world, iccid, change, world.behaviours.update_lag_seconds)


def update_many(world: World, changes: Sequence[SimUpdate]) -> None:
    """Queue changes of many SIMs; they become visible later, all of them or none is accepted."""
    changeable(world, [change.iccid or "" for change in changes])
    for change in changes:
        _plan(world, change.iccid or "", change, world.behaviours.bulk_lag_seconds)


def _plan(world: World, iccid: str, change: SimUpdate, lag: float) -> None:
    wanted = change.model_dump(exclude_none=True, exclude={"iccid"})
    if lag > 0:
        world.schedule.plan(world.clock.now() + lag, "sims.apply", iccid=iccid, change=wanted)
    else:
        apply_planned(world, iccid=iccid, change=wanted)


def apply_planned(world: World, *, iccid: str, change: dict[str, Any]) -> None:
    """Make a change visible."""
    sim = world.sims.get(iccid)
    if sim is None:
        return
    sim.label = change.get("label", sim.label)
    sim.imei_lock = change.get("imei_lock", sim.imei_lock)
    if "status" in change:
        _switch(world, sim, enabled=change["status"] == "Enabled")


def _switch(world: World, sim: Sim, *, enabled: bool) -> None:
    if enabled == sim.enabled:
        return
    if not enabled:
        detach(world, sim)
    sim.enabled = enabled
    record(world, sim, kinds.ACTIVATION if enabled else kinds.SUSPENSION)
