"""The running sandbox: a world, who may look at it how often, and what goes wrong."""

from dataclasses import dataclass, field

from once_sandbox.behaviours.schemas import profile
from once_sandbox.faults.service import Faults
from once_sandbox.gate.limits import Limits
from once_sandbox.gate.log import RequestLog
from once_sandbox.settings import Settings
from once_sandbox.streams.models import Pushes
from once_sandbox.tokens.models import Tokens
from once_sandbox.world import World, make_world


@dataclass(slots=True)
class Sandbox:
    """Everything one process holds."""

    settings: Settings
    world: World
    tokens: Tokens = field(default_factory=Tokens)
    limits: Limits = field(default_factory=Limits)
    faults: Faults = field(default_factory=Faults)
    log: RequestLog = field(default_factory=RequestLog)
    pushes: Pushes = field(default_factory=Pushes)


def make_sandbox(settings: Settings) -> Sandbox:
    """A sandbox as the settings describe it."""
    world = make_world(sims=settings.sims, seed=settings.seed, behaviours=profile(settings.profile))
    return Sandbox(settings=settings, world=world)
