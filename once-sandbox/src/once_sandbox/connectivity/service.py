"""Reading a SIM's connection."""

from once_sandbox.chance import share
from once_sandbox.connectivity.models import ATTACHED, OFFLINE, ONLINE, Connection, Session
from once_sandbox.connectivity.operators import OPERATORS, RATS
from once_sandbox.sims.models import Sim
from once_sandbox.world import World

_STATE, _OPERATOR, _RAT, _SINCE = 201, 202, 203, 204


def connection_of(world: World, sim: Sim) -> Connection:
    """The SIM's connection, seeded when it is looked at for the first time."""
    known = world.connections.known.get(sim.iccid)
    if known is None:
        known = world.connections.known[sim.iccid] = _seeded(world, sim)
    return known


def new_session(world: World, now: float) -> Session:
    """A session that opens now."""
    world.connections.next_session += 1
    return Session(world.connections.next_session, now, now, now)


def _seeded(world: World, sim: Sim) -> Connection:
    def chance(purpose: int) -> float:
        return share(world.seed, sim.index, purpose)

    since = max(sim.activated_at, world.born_at - 60 - chance(_SINCE) * 20_000)
    draw = chance(_STATE)
    state = ONLINE if draw < 0.5 else ATTACHED if draw < 0.8 else OFFLINE
    if sim.imei is None or not sim.enabled or sim.expired(world.clock.now()):
        state = OFFLINE
    if state == ONLINE and sim.data.remaining <= 0:
        state = ATTACHED
    return Connection(
        state=state,
        operator=int(chance(_OPERATOR) * len(OPERATORS)),
        rat=int(chance(_RAT) * len(RATS)),
        since=since,
        updated_at=since,
        session=new_session(world, since) if state == ONLINE else None,
    )
