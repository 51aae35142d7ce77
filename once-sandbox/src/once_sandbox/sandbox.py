"""The running sandbox: a world, and who may look at it how often."""

from dataclasses import dataclass

from once_sandbox.behaviours.schemas import profile
from once_sandbox.gate.limits import Limits
from once_sandbox.settings import Settings
from once_sandbox.tokens.models import Tokens
from once_sandbox.world import World, make_world


@dataclass(slots=True)
class Sandbox:
    """Everything one process holds."""

    settings: Settings
    world: World
    tokens: Tokens
    limits: Limits


def make_sandbox(settings: Settings) -> Sandbox:
    """A sandbox as the settings describe it."""
    world = make_world(sims=settings.sims, seed=settings.seed, behaviours=profile(settings.profile))
    return Sandbox(settings=settings, world=world, tokens=Tokens(), limits=Limits())
