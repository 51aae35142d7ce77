"""Lets due actions happen, each at its own moment, whatever jump the clock made."""

from collections.abc import Callable
from typing import Any

from once_sandbox.connectivity import sessions
from once_sandbox.orders import automatic, payment
from once_sandbox.quotas import booking as quotas
from once_sandbox.sims import service as sims
from once_sandbox.sims import transfer
from once_sandbox.sms import delivery
from once_sandbox.world import World

ACTIONS: dict[str, Callable[..., None]] = {
    "connectivity.forget": sessions.forget,
    "connectivity.idle": sessions.idle,
    "connectivity.reset": sessions.reset,
    "orders.check": automatic.check,
    "orders.pay": payment.pay,
    "orders.ship": payment.ship,
    "quotas.expire": quotas.expire,
    "sims.apply": sims.apply_planned,
    "sims.release": transfer.release,
    "sms.deliver": delivery.deliver,
    "sms.expire": delivery.expire,
    "sms.retry_buffered": delivery.retry_buffered,
}
"""Each kind of planned action and the function that does it."""


def settle(world: World) -> None:
    """Do everything that is due."""
    while (due := world.schedule.take(world.clock.now())) is not None:
        details: dict[str, Any] = due.details
        with world.clock.at(due.at):
            ACTIONS[due.kind](world, **details)
