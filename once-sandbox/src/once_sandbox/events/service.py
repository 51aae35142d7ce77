"""Recording events and reading them."""

from collections.abc import Callable
from typing import Any

from once_sandbox.connectivity.models import OFFLINE, ONLINE
from once_sandbox.connectivity.operators import OPERATORS
from once_sandbox.connectivity.service import connection_of
from once_sandbox.errors import ApiError
from once_sandbox.events.models import (
    ACTIVATION,
    CREATE_PDP,
    GPRS_LOCATION,
    LOCATION,
    MAX_EVENTS_PER_SIM,
    TYPES,
    Event,
)
from once_sandbox.events.schemas import event_record, network
from once_sandbox.sims.models import Sim
from once_sandbox.world import World

_SORT_KEYS: dict[str, Callable[[Event], Any]] = {
    "timestamp": lambda event: event.at,
    "id": lambda event: event.id,
    "event_type": lambda event: event.description,
    "event_severity": lambda event: event.severity,
    "alert": lambda event: event.alert,
}


def record(
    world: World,
    sim: Sim,
    type_id: int,
    *,
    description: str = "",
    detail: dict[str, Any] | None = None,
    severity: int | None = None,
    at_network: bool = False,
) -> Event:
    """Note that something happened to the SIM now, and tell the data streamers."""
    events = events_of(world, sim)
    place = connection_of(world, sim).operator if at_network else None
    event = _event(world, type_id, description=description, operator=place, detail=detail, severity=severity)
    events.append(event)
    del events[:-MAX_EVENTS_PER_SIM]
    world.tell("events", lambda: event_record(sim, event))
    return event


def _event(
    world: World,
    type_id: int,
    *,
    description: str = "",
    operator: int | None = None,
    detail: dict[str, Any] | None = None,
    severity: int | None = None,
) -> Event:
    text, usual, _ = TYPES[type_id]
    level = usual if severity is None else severity
    about = None if operator is None else network(OPERATORS[operator])
    world.events.next_id += 1
    return Event(
        id=world.events.next_id,
        at=world.clock.now(),
        type_id=type_id,
        severity=level,
        description=description or text,
        alert=level > 0,
        operator=operator,
        detail=None if about is None and detail is None else (about or {}) | (detail or {}),
    )


def events_of(world: World, sim: Sim) -> list[Event]:
    """The SIM's events, oldest first; its past is written when somebody first asks."""
    known = world.events.by_iccid.get(sim.iccid)
    if known is None:
        known = world.events.by_iccid[sim.iccid] = _past(world, sim)
    return known


def _past(world: World, sim: Sim) -> list[Event]:
    connection = connection_of(world, sim)
    with world.clock.at(sim.activated_at):
        past = [_event(world, ACTIVATION, description="Status of SIM changed from 'Issued' to 'Activated'")]
    types = [] if connection.state == OFFLINE else [LOCATION, GPRS_LOCATION]
    types += [CREATE_PDP] if connection.state == ONLINE else []
    with world.clock.at(min(connection.since, world.clock.now())):
        past += [_event(world, type_id, operator=connection.operator) for type_id in types]
    return past


def newest_first(world: World, sim: Sim, sort: str | None = None) -> list[Event]:
    """The SIM's events, newest first or sorted by `-timestamp,id`; raises ApiError 400 for unknown keys."""
    events = events_of(world, sim)[::-1]
    for part in reversed(list(filter(None, (sort or "").split(",")))):
        name = part.strip().lstrip("-")
        if name not in _SORT_KEYS:
            raise ApiError(400, f"sort: unknown field '{name[:40]}', expected one of {', '.join(_SORT_KEYS)}")
        events.sort(key=_SORT_KEYS[name], reverse=part.strip().startswith("-"))
    return events
