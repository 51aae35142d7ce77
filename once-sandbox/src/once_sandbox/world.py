"""Everything the sandbox remembers."""

from dataclasses import dataclass, field

from once_sandbox.behaviours.schemas import Behaviours
from once_sandbox.clock import Clock
from once_sandbox.connectivity.models import Connections
from once_sandbox.schedule import Schedule
from once_sandbox.sims.models import Sims
from once_sandbox.sims.seed import seeded_sim
from once_sandbox.usage.models import UsageBook


@dataclass(slots=True)
class World:
    """One customer's account at 1NCE, and the network around its SIMs."""

    seed: int
    born_at: float
    clock: Clock = field(default_factory=Clock)
    behaviours: Behaviours = field(default_factory=Behaviours)
    schedule: Schedule = field(default_factory=Schedule)
    sims: Sims = field(default_factory=Sims)
    usage: UsageBook = field(default_factory=UsageBook)
    connections: Connections = field(default_factory=Connections)


def make_world(*, sims: int, seed: int, behaviours: Behaviours) -> World:
    """A world with that many SIMs."""
    clock = Clock()
    world = World(seed=seed, born_at=clock.now(), clock=clock, behaviours=behaviours)
    for index in range(sims):
        world.sims.add(seeded_sim(seed, index, world.born_at))
    return world
