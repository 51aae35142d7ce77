"""Delivering messages: at once to a reachable SIM, later to one that is away, never after their expiry."""

from once_sandbox.connectivity.models import OFFLINE
from once_sandbox.connectivity.service import connection_of
from once_sandbox.sims.models import Sim
from once_sandbox.sms.models import BUFFERED, DELIVERED, EXPIRED, FAILED, Sms
from once_sandbox.sms.schemas import report_record
from once_sandbox.usage.booking import book_sms
from once_sandbox.world import World

RETRY_SECONDS = (60.0, 300.0, 900.0, 3600.0)
"""Growing pauses between attempts; the last one repeats."""


def deliver(world: World, *, number: int) -> None:
    """Try to deliver a message that still waits."""
    sms = world.sms.by_id.get(number)
    sim = world.sims.get(sms.iccid) if sms else None
    if sms is None or sim is None or not sms.waiting:
        return
    now = world.clock.now()
    if sms.attempted_at is not None:
        sms.retries += 1
    sms.attempted_at = now
    if not sim.enabled:
        finish(world, sim, sms, FAILED)
    elif _reachable(world, sim):
        finish(world, sim, sms, DELIVERED if book_sms(world, sim, sent_by_sim=False) else FAILED)
    else:
        sms.status = BUFFERED
        sms.retry_at = now + RETRY_SECONDS[min(sms.retries, len(RETRY_SECONDS) - 1)]
        world.schedule.plan(sms.retry_at, "sms.deliver", number=number)


def retry_buffered(world: World, *, iccid: str) -> None:
    """The SIM attached: whatever waits for it is delivered."""
    for sms in world.sms.of(iccid, world.clock.now()):
        if sms.status == BUFFERED:
            deliver(world, number=sms.id)


def expire(world: World, *, number: int) -> None:
    """Give up a message whose time is over."""
    sms = world.sms.by_id.get(number)
    sim = world.sims.get(sms.iccid) if sms else None
    if sms is not None and sim is not None and sms.waiting:
        finish(world, sim, sms, EXPIRED)


def finish(world: World, sim: Sim, sms: Sms, status: int) -> None:
    """The message reaches its end, and the forwarder reports it."""
    now = world.clock.now()
    sms.status, sms.final_at, sms.retry_at = status, now, None
    sms.delivered_at = now if status == DELIVERED else None
    world.tell("sms_report", lambda: report_record(sim, sms))


def _reachable(world: World, sim: Sim) -> bool:
    connection = connection_of(world, sim)
    return connection.state != OFFLINE and not connection.vanished and not connection.blocked
