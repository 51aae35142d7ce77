"""A request in progress: its time budget, and what its failures mean."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fleet_kit.errors import FleetError
from sim_service.carrier.breaker import BreakerOpen
from sim_service.carrier.errors import CarrierBadAnswer, CarrierOutcomeUnknown, CarrierUnavailable
from sim_service.carrier.models import Priority
from sim_service.carrier.once.operations import Operation
from sim_service.carrier.once.outcome_check import OutcomeCheck
from sim_service.carrier.once.responses import Throttled, TokenRefused


@dataclass(frozen=True, slots=True)
class TimeBudget:
    """Attempts, seconds for each attempt, and seconds for all of them with the waits between."""

    tries: int
    try_seconds: float
    total_seconds: float


TIME_BUDGETS: Mapping[Priority, TimeBudget] = {
    Priority.INTERACTIVE: TimeBudget(tries=3, try_seconds=5, total_seconds=8),
    Priority.LISTING: TimeBudget(tries=6, try_seconds=20, total_seconds=120),
    Priority.BACKGROUND: TimeBudget(tries=6, try_seconds=20, total_seconds=120),
}


_MOST_WAITING = 0.75
_LEAST_ANSWER_SECONDS = 1.0


@dataclass(slots=True)
class PendingRequest:
    """One operation in progress; `deadline` on the monotonic clock."""

    operation: Operation
    version: str
    url: str
    params: dict[str, str | int]
    body: Any
    priority: Priority
    deadline: float
    outcome_check: OutcomeCheck | None = None
    refused_token: str | None = None
    token_tries: int = 0

    @property
    def left(self) -> float:
        """Seconds until the deadline, none after it."""
        return max(0.0, self.deadline - time.monotonic())

    @property
    def longest_wait(self) -> float:
        """Seconds that it may wait for its turn, so that there is time for an answer."""
        return self.left * _MOST_WAITING

    @property
    def has_time_to_send(self) -> bool:
        """Whether an answer can come in time; who may not repeat it would else ask for a lost answer."""
        return self.left > (0 if self.operation.repeatable else _LEAST_ANSWER_SECONDS)

    def lost_answer(self, message: str, *, unreadable: bool = False) -> FleetError:
        """The error for a lost or unreadable answer: the outcome is unknown unless it may be repeated."""
        if not self.operation.repeatable:
            return CarrierOutcomeUnknown(message, details={"operation": self.operation.name})
        return CarrierBadAnswer(message) if unreadable else CarrierUnavailable(message)

    async def ensure_not_carried_out(self, *, after: float) -> None:
        """Raise CarrierOutcomeUnknown unless the check, after `after` seconds, finds no effect."""
        if self.operation.repeatable:
            return
        if self.outcome_check is None:
            raise self.lost_answer("the carrier refused it, and no list shows whether it did it")
        try:
            async with asyncio.timeout(self.left):
                await asyncio.sleep(after)
                done = await self.outcome_check()
        except (FleetError, TimeoutError) as error:
            raise self.lost_answer("the carrier refused it, and does not show whether it did it") from error
        if done:
            raise self.lost_answer("the carrier refused it, and may have done it")

    def may_repeat(self, error: BaseException) -> bool:
        if isinstance(error, TokenRefused):
            self.token_tries += 1
            return self.token_tries < 2
        if isinstance(error, BreakerOpen):
            return self.priority is not Priority.INTERACTIVE
        return isinstance(error, CarrierUnavailable | CarrierBadAnswer | Throttled)
