"""How a connection changes: attach, session, detach, a device that vanishes, a block, a reset."""

from once_sandbox.connectivity.models import ATTACHED, OFFLINE, ONLINE, Connection, Session
from once_sandbox.connectivity.service import connection_of, new_session
from once_sandbox.events import models as kinds
from once_sandbox.events.service import record
from once_sandbox.sims.models import Sim
from once_sandbox.usage.records import flush
from once_sandbox.world import World


def attach(world: World, sim: Sim, *, operator: int | None = None, rat: int | None = None) -> Connection:
    """The device registers with a network, the last one unless another is named."""
    connection, now = connection_of(world, sim), world.clock.now()
    if operator is not None and operator != connection.operator:
        close_session(world, sim)
        connection.operator = operator
    connection.rat = connection.rat if rat is None else rat
    connection.vanished = False
    connection.state = ONLINE if connection.session else ATTACHED
    connection.since = connection.updated_at = now
    record(world, sim, kinds.LOCATION, at_network=True)
    record(world, sim, kinds.GPRS_LOCATION, at_network=True)
    world.schedule.plan(now, "sms.retry_buffered", iccid=sim.iccid)
    return connection


def open_session(world: World, sim: Sim) -> Session:
    """The device opens a PDP context, attaching first if it has to."""
    connection, now = connection_of(world, sim), world.clock.now()
    if connection.session is not None:
        return connection.session
    if connection.state == OFFLINE or connection.vanished:
        attach(world, sim)
    connection.session = new_session(world, now)
    connection.state, connection.updated_at, connection.failure = ONLINE, now, None
    record(world, sim, kinds.CREATE_PDP, at_network=True)
    plan_idle(world, sim, connection.session)
    return connection.session


def close_session(world: World, sim: Sim) -> None:
    """The PDP context ends; what was not yet streamed is streamed now."""
    connection = connection_of(world, sim)
    session = connection.session
    if session is None:
        return
    flush(world, sim, connection, session)
    connection.session = None
    connection.state = ATTACHED
    connection.updated_at = world.clock.now()
    volume = {"tx": session.sent, "rx": session.received, "total": session.sent + session.received}
    megabytes = {name: amount / (1024 * 1024) for name, amount in volume.items()}
    record(world, sim, kinds.DELETE_PDP, at_network=True, detail={"volume": megabytes})


def detach(world: World, sim: Sim) -> None:
    """The network forgets the device."""
    close_session(world, sim)
    connection = connection_of(world, sim)
    connection.state, connection.vanished = OFFLINE, False
    connection.updated_at = world.clock.now()
    record(world, sim, kinds.PURGE, at_network=True)
    record(world, sim, kinds.GPRS_PURGE, at_network=True)


def vanish(world: World, sim: Sim) -> None:
    """The device loses its power; the network goes on saying ATTACHED for a day or two."""
    if connection_of(world, sim).state == OFFLINE:
        return
    close_session(world, sim)
    connection_of(world, sim).vanished = True
    due = world.clock.now() + world.behaviours.stale_attached_seconds
    world.schedule.plan(due, "connectivity.forget", iccid=sim.iccid)


def forget(world: World, *, iccid: str) -> None:
    """The network notices at last that a device vanished."""
    sim = world.sims.get(iccid)
    if sim is not None and connection_of(world, sim).vanished:
        detach(world, sim)


def block(world: World, sim: Sim, *, blocked: bool) -> None:
    """Block the endpoint, or let it in again."""
    if blocked:
        close_session(world, sim)
        record(world, sim, kinds.BLOCKED)
    connection_of(world, sim).blocked = blocked


def fail(world: World, sim: Sim, cause: str) -> None:
    """The network refuses a data session for this cause; repeated refusals are one event."""
    connection = connection_of(world, sim)
    close_session(world, sim)
    if connection.failure == cause:
        return
    connection.failure = cause
    description = f"PDP Context Request rejected, because {cause.lower().replace('_', ' ')}."
    detail = {"data_service_failure_cause": cause}
    record(
        world,
        sim,
        kinds.CREATE_PDP,
        description=description,
        detail=detail,
        severity=kinds.WARN,
        at_network=True,
    )


def plan_reset(world: World, sim: Sim) -> None:
    """Queue a connectivity reset."""
    due = world.clock.now() + world.behaviours.reset_seconds
    world.schedule.plan(due, "connectivity.reset", iccid=sim.iccid)


def reset(world: World, *, iccid: str) -> None:
    """End session and location; a device that is there comes back by itself."""
    sim = world.sims.get(iccid)
    if sim is None:
        return
    connection = connection_of(world, sim)
    alive = connection.state != OFFLINE and not connection.vanished
    online = connection.session is not None
    detach(world, sim)
    if alive and sim.enabled:
        attach(world, sim)
        if online:
            open_session(world, sim)


def plan_idle(world: World, sim: Sim, session: Session) -> None:
    """Look again when the session may have become idle."""
    session.watched = True
    due = session.last_traffic_at + world.behaviours.session_idle_seconds
    world.schedule.plan(due, "connectivity.idle", iccid=sim.iccid, session=session.id)


def idle(world: World, *, iccid: str, session: int) -> None:
    """Close the session if it is still the same one and had no traffic."""
    sim = world.sims.get(iccid)
    present = connection_of(world, sim).session if sim else None
    if sim is None or present is None or present.id != session:
        return
    if present.last_traffic_at + world.behaviours.session_idle_seconds <= world.clock.now():
        close_session(world, sim)
    else:
        plan_idle(world, sim, present)
