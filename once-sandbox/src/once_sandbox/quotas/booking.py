"""Taking from a quota and adding to it, with the events that go with both."""

from typing import Any

from once_sandbox.events import models as kinds
from once_sandbox.events.service import record
from once_sandbox.quotas.models import DATA_GRANT, SMS_GRANT, THRESHOLD_PERCENT
from once_sandbox.quotas.schemas import Service, quota_of, volume
from once_sandbox.sims.models import Sim
from once_sandbox.world import World

_EVENTS = {
    "data": {1: kinds.DATA_LOW, 2: kinds.DATA_GONE},
    "sms": {1: kinds.SMS_LOW, 2: kinds.SMS_GONE},
}


def use(world: World, sim: Sim, service: Service, amount: int) -> None:
    """Take bytes or messages; every level that is crossed is one event."""
    before, after = quota_of(sim, service).use(amount, world.clock.now())
    for level in range(before + 1, after + 1):
        record(world, sim, _EVENTS[service][level], detail=_detail(world, sim, service))


def top_up(world: World, sim: Sim) -> None:
    """Book the volume of one top-up."""
    now = world.clock.now()
    sim.data.grant(DATA_GRANT, now)
    sim.sms.grant(SMS_GRANT, now)


def extend(world: World, sim: Sim, seconds: float) -> None:
    """Prolong the SIM's life and renew both quotas."""
    now = world.clock.now()
    for quota, amount in ((sim.data, DATA_GRANT), (sim.sms, SMS_GRANT)):
        quota.expires_at = max(now, quota.expires_at) + seconds
        quota.grant(amount, now)


def expire(world: World, *, iccid: str) -> None:
    """Report a quota whose time is over."""
    sim = world.sims.get(iccid)
    if sim is not None and sim.data.expired(world.clock.now()):
        record(world, sim, kinds.DATA_EXPIRED, detail=_detail(world, sim, "data"))


def _detail(world: World, sim: Sim, service: Service) -> dict[str, Any]:
    quota = quota_of(sim, service)
    left, threshold = volume(service, quota.remaining), volume(service, quota.threshold)
    shown = str(left) if world.behaviours.quota_volume_as_text else left
    return {
        "quota": {"volume": shown, "threshold_volume": threshold, "threshold_percentage": THRESHOLD_PERCENT}
    }
