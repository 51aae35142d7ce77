"""Everything the sandbox remembers."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from once_sandbox.behaviours.schemas import Behaviours
from once_sandbox.clock import Clock
from once_sandbox.connectivity.models import Connections
from once_sandbox.events.models import Events
from once_sandbox.orders.models import Orders
from once_sandbox.schedule import Schedule
from once_sandbox.sims.models import Sims
from once_sandbox.sims.seed import seeded_sim
from once_sandbox.sms.models import SmsBook
from once_sandbox.tickets.models import Tickets
from once_sandbox.usage.models import UsageBook
from once_sandbox.volume_limits.models import VolumeLimits

Topic = Literal["usage", "events", "sms_received", "sms_report"]
MOST_UNTOLD = 300_000
"""Records that may wait for the pushes; beyond it the oldest are dropped, as a stopped stream's are."""


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
    events: Events = field(default_factory=Events)
    orders: Orders = field(default_factory=Orders)
    sms: SmsBook = field(default_factory=SmsBook)
    tickets: Tickets = field(default_factory=Tickets)
    volume_limits: VolumeLimits = field(default_factory=VolumeLimits)
    records: int = 0
    listening: set[Topic] = field(default_factory=set)
    untold: list[tuple[Topic, dict[str, Any]]] = field(default_factory=list)

    def tell(self, topic: Topic, make: Callable[[], dict[str, Any]]) -> None:
        """Leave a record for the pushes; it is not even made when nobody listens."""
        if topic in self.listening:
            self.untold.append((topic, make()))
            del self.untold[:-MOST_UNTOLD]

    def next_record(self) -> int:
        self.records += 1
        return 9_000_000_000 + self.records


def make_world(*, sims: int, seed: int, behaviours: Behaviours) -> World:
    """A world with that many SIMs."""
    clock = Clock()
    world = World(seed=seed, born_at=clock.now(), clock=clock, behaviours=behaviours)
    for index in range(sims):
        world.sims.add(seeded_sim(seed, index, world.born_at))
    return world
