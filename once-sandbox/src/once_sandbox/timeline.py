"""Lets due actions happen, each at its own moment, whatever jump the clock made."""

from collections.abc import Callable
from typing import Any

from once_sandbox.sims import service as sims
from once_sandbox.world import World

ACTIONS: dict[str, Callable[..., None]] = {
    "sims.apply": sims.apply_planned,
}
"""Each kind of planned action and the function that does it."""


def settle(world: World) -> None:
    """Do everything that is due."""
    while (due := world.schedule.take(world.clock.now())) is not None:
        details: dict[str, Any] = due.details
        with world.clock.at(due.at):
            ACTIONS[due.kind](world, **details)
