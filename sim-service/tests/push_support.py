"""Records as the sandbox's streamer makes them, and the way in for them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from once_sandbox.connectivity.service import connection_of
from once_sandbox.usage.models import UsageDay
from once_sandbox.usage.records import usage_record

from .support import Fleet

AUTH = ("carrier", "s3cret-of-pushes")


def record(
    fleet: Fleet, iccid: str, *, at: datetime | None = None, seconds: float = 900, **volumes: int
) -> dict[str, Any]:
    """A usage record that ended at `at` (default: a moment ago); `sent`, `received`, `sms_sent`, …"""
    world = fleet.sandbox.sandbox.world
    sim = next(sim for sim in world.sims.own() if sim.iccid == iccid)
    end = (at or datetime.now(UTC) - timedelta(seconds=1)).timestamp()
    return usage_record(world, sim, connection_of(world, sim), (end - seconds, end), UsageDay(**volumes))


async def push(fleet: Fleet, records: Sequence[Any], auth: tuple[str, str] | None = AUTH) -> httpx.Response:
    """Post to the streamer's endpoint."""
    login = httpx.BasicAuth(*auth) if auth else None
    return await fleet.anyone.post("/sim/push/streamer", json=list(records), auth=login or httpx.Auth())


async def pushed(fleet: Fleet, *records: Any) -> dict[str, Any]:
    """Post, and expect success; the answer's body."""
    answer = await push(fleet, records)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body
