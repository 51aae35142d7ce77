"""Events of SIMs for tests."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from once_sandbox.events.models import LOCATION
from once_sandbox.events.service import record
from sim_service.carrier.models import CarrierEvent
from sim_service.lifecycle.network_events.service import NetworkEventService

from ..support import Fleet

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


def noted(number: int, iccid: str, **fields: Any) -> CarrierEvent:
    """An event as a push brings it."""
    at = NOON + timedelta(seconds=number)
    return replace(CarrierEvent(str(number), iccid, at, "session_opened", 3), **fields)


async def store(fleet: Fleet, *events: CarrierEvent) -> int:
    async with fleet.sessions.begin() as session:
        return await NetworkEventService.store(session, events)


def happen(fleet: Fleet, iccid: str, number: int) -> None:
    """So many events at the carrier, a second apart."""
    world = fleet.sandbox.sandbox.world
    sim = world.sims.by_iccid[iccid]
    for back in range(number, 0, -1):
        with world.clock.at(world.clock.now() - back):
            record(world, sim, LOCATION, at_network=True)


async def listed(fleet: Fleet, iccid: str, query: str = "") -> list[dict[str, Any]]:
    answer = await fleet.ours.viewer.get(f"/sims/{iccid}/events?page_size=200&{query}")
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items
