"""Traffic that happens: admitted or refused by the network, then booked on day, quota and session."""

from dataclasses import dataclass

from once_sandbox.clock import as_day
from once_sandbox.connectivity.models import Session
from once_sandbox.connectivity.service import connection_of
from once_sandbox.connectivity.sessions import close_session, fail, open_session, plan_idle
from once_sandbox.quotas.booking import use
from once_sandbox.sims.models import Sim
from once_sandbox.usage.models import UsageDay
from once_sandbox.usage.records import flush_if_due, record_sms
from once_sandbox.volume_limits.service import data_stopped, sms_stopped
from once_sandbox.world import World


@dataclass(frozen=True, slots=True)
class Traffic:
    """Bytes that a SIM moved; `imei` is the device it sits in, if that is known."""

    sent: int
    received: int
    imei: str | None = None


def refusal_cause(world: World, sim: Sim, imei: str | None = None) -> str | None:
    """Why the network refuses data, in v2's vocabulary; None: it does not."""
    if imei is not None and sim.imei_lock and sim.imei is not None and imei[:14] != sim.imei[:14]:
        return "IMEI_LOCK_BREACHED"
    if not sim.enabled or connection_of(world, sim).blocked:
        return "DATA_SERVICE_BARRED"
    if not world.behaviours.block_exhausted:
        return None
    if sim.data.expired(world.clock.now()):
        return "QUOTA_EXPIRED"
    if sim.data.remaining <= 0:
        return "QUOTA_EXHAUSTED"
    return "MONTHLY_USAGE_LIMIT_EXCEEDED" if data_stopped(world, sim) else None


def book_data(world: World, sim: Sim, traffic: Traffic) -> str | None:
    """Book traffic now; returns the cause if it is refused. The last bytes may overrun the quota."""
    cause = refusal_cause(world, sim, traffic.imei)
    if cause is not None:
        fail(world, sim, cause)
        return cause
    if traffic.imei is not None:
        sim.imei = traffic.imei
    session = open_session(world, sim)
    world.usage.book(sim.iccid, world.clock.today(), UsageDay(traffic.sent, traffic.received))
    _count(world, session, traffic)
    if not session.watched:
        plan_idle(world, sim, session)
    flush_if_due(world, sim, connection_of(world, sim), session)
    use(world, sim, "data", traffic.sent + traffic.received)
    if refusal_cause(world, sim) is not None:
        close_session(world, sim)
    return None


def _count(world: World, session: Session, traffic: Traffic) -> None:
    session.sent += traffic.sent
    session.received += traffic.received
    session.pending_sent += traffic.sent
    session.pending_received += traffic.received
    session.last_traffic_at = world.clock.now()


def book_sms(world: World, sim: Sim, *, sent_by_sim: bool) -> bool:
    """Book one message; False if quota or limit do not allow it."""
    stopped = sms_stopped(world, sim, sent_by_sim=sent_by_sim)
    if world.behaviours.block_exhausted and (sim.sms.remaining <= 0 or stopped):
        return False
    volumes = UsageDay(sms_sent=int(sent_by_sim), sms_received=int(not sent_by_sim))
    world.usage.book(sim.iccid, as_day(world.clock.now()), volumes)
    record_sms(world, sim, sent_by_sim=sent_by_sim)
    use(world, sim, "sms", 1)
    return True
