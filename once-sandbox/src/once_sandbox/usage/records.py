"""The data streamer's usage records."""

from once_sandbox.connectivity.models import Connection, Session
from once_sandbox.connectivity.operators import OPERATORS
from once_sandbox.connectivity.service import connection_of
from once_sandbox.events.schemas import endpoint, sim_reference
from once_sandbox.sims.models import ORGANISATION, Sim
from once_sandbox.usage.models import UsageDay
from once_sandbox.wire import MEGABYTE, Json, zulu
from once_sandbox.world import World

REPORT_EVERY = 900.0
"""Seconds between two records of an open session at most this often."""
REPORT_ABOVE = 100 * 1024
"""Bytes below which an open session is not reported."""
DATA, SMS = {"id": 5, "description": "Data"}, {"id": 6, "description": "SMS"}


def flush(world: World, sim: Sim, connection: Connection, session: Session) -> None:
    """Tell the streams what the session moved since its last record."""
    sent, received = session.pending_sent, session.pending_received
    if sent or received:
        start, end = session.reported_at, world.clock.now()
        world.tell(
            "usage", lambda: usage_record(world, sim, connection, (start, end), UsageDay(sent, received))
        )
    session.pending_sent = session.pending_received = 0
    session.reported_at = world.clock.now()


def flush_if_due(world: World, sim: Sim, connection: Connection, session: Session) -> None:
    """Report an open session that moved enough, not more often than the streamer does."""
    pending = session.pending_sent + session.pending_received
    if pending > REPORT_ABOVE and world.clock.now() - session.reported_at >= REPORT_EVERY:
        flush(world, sim, connection, session)


def record_sms(world: World, sim: Sim, *, sent_by_sim: bool) -> None:
    """One record for each message."""
    now = world.clock.now()
    volumes = UsageDay(sms_sent=int(sent_by_sim), sms_received=int(not sent_by_sim))
    connection = connection_of(world, sim)
    world.tell("usage", lambda: usage_record(world, sim, connection, (now, now), volumes))


def usage_record(
    world: World, sim: Sim, connection: Connection, period: tuple[float, float], volumes: UsageDay
) -> Json:
    """A nested record. In the streamer tx is what the SIM sent: the other way round than in REST."""
    operator = OPERATORS[connection.operator]
    is_sms = volumes.sms_sent + volumes.sms_received > 0
    tx = volumes.sms_sent if is_sms else volumes.sent / MEGABYTE
    rx = volumes.sms_received if is_sms else volumes.received / MEGABYTE
    return {
        "id": world.next_record(),
        "imsi": sim.imsi,
        "start_timestamp": zulu(period[0]),
        "end_timestamp": zulu(period[1]),
        "organisation": {"id": ORGANISATION},
        "sim": sim_reference(sim),
        "endpoint": endpoint(sim),
        "operator": {
            "id": operator.id,
            "name": operator.name,
            "mnc": operator.mnc,
            "country": {"id": operator.country_id, "mcc": operator.mcc, "name": operator.country},
        },
        "traffic_type": SMS if is_sms else DATA,
        "cost": tx + rx,
        "volume": {"total": tx + rx, "tx": tx, "rx": rx},
    }
