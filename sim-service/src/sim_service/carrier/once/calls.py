"""A call on its way to 1NCE, how long its caller waits, and what its failures mean."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fleet_kit.errors import FleetError
from sim_service.carrier.breaker import BreakerOpen
from sim_service.carrier.errors import CarrierBadAnswer, CarrierOutcomeUnknown, CarrierUnavailable
from sim_service.carrier.facts import Priority
from sim_service.carrier.once.answers import Throttled, TokenRefused
from sim_service.carrier.once.looking import Look
from sim_service.carrier.once.operations import Operation


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a caller waits: tries, seconds for each try, seconds for all of it with the waits."""

    tries: int
    try_seconds: float
    total_seconds: float


PATIENCE: Mapping[Priority, Patience] = {
    Priority.PEOPLE: Patience(tries=3, try_seconds=5, total_seconds=8),
    Priority.LISTING: Patience(tries=6, try_seconds=20, total_seconds=120),
    Priority.BACKGROUND: Patience(tries=6, try_seconds=20, total_seconds=120),
}


@dataclass(slots=True)
class Call:
    """One operation on its way; `deadline` on the monotonic clock. `look`: see `ensure_not_done`."""

    operation: Operation
    version: str
    url: str
    params: dict[str, str | int]
    body: Any
    priority: Priority
    deadline: float
    look: Look | None = None
    refused_token: str | None = None
    token_tries: int = 0

    @property
    def left(self) -> float:
        """Seconds until the deadline, none after it."""
        return max(0.0, self.deadline - time.monotonic())

    def lost(self, message: str, *, unreadable: bool = False) -> FleetError:
        """What a lost or unreadable answer means for this operation."""
        if not self.operation.repeatable:
            return CarrierOutcomeUnknown(message, details={"operation": self.operation.name})
        return CarrierBadAnswer(message) if unreadable else CarrierUnavailable(message)

    async def ensure_not_done(self, *, after: float) -> None:
        """Raise CarrierOutcomeUnknown unless a look, `after` seconds from now, shows that a refusal holds."""
        if self.operation.repeatable:
            return
        if self.look is None:
            raise self.lost("the carrier refused it, and no list shows whether it did it")
        try:
            async with asyncio.timeout(self.left):
                await asyncio.sleep(after)
                done = await self.look()
        except (FleetError, TimeoutError) as error:
            raise self.lost("the carrier refused it, and does not show whether it did it") from error
        if done:
            raise self.lost("the carrier refused it, and may have done it")

    def may_repeat(self, error: BaseException) -> bool:
        """Whether another try is safe and makes sense."""
        if isinstance(error, TokenRefused):
            self.token_tries += 1
            return self.token_tries < 2
        if isinstance(error, BreakerOpen):
            return self.priority is not Priority.PEOPLE
        return isinstance(error, CarrierUnavailable | CarrierBadAnswer | Throttled)
