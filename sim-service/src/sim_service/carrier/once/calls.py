"""A call on its way to 1NCE, and what its failures mean."""

from dataclasses import dataclass
from typing import Any

from fleet_kit.errors import FleetError
from sim_service.carrier.breaker import BreakerOpen
from sim_service.carrier.errors import CarrierBadAnswer, CarrierOutcomeUnknown, CarrierUnavailable
from sim_service.carrier.facts import Priority
from sim_service.carrier.once.answers import Throttled, TokenRefused
from sim_service.carrier.once.operations import Operation


@dataclass(slots=True)
class Call:
    """One operation on its way; `deadline` on the monotonic clock."""

    operation: Operation
    version: str
    url: str
    params: dict[str, str | int]
    body: Any
    priority: Priority
    deadline: float
    refused_token: str | None = None
    token_tries: int = 0

    def lost(self, message: str, *, unreadable: bool = False) -> FleetError:
        """What a lost or unreadable answer means for this operation."""
        if not self.operation.repeatable:
            return CarrierOutcomeUnknown(message, details={"operation": self.operation.name})
        return CarrierBadAnswer(message) if unreadable else CarrierUnavailable(message)

    def may_repeat(self, error: BaseException) -> bool:
        """Whether another try is safe and makes sense."""
        if isinstance(error, TokenRefused):
            self.token_tries += 1
            return self.token_tries < 2
        if isinstance(error, BreakerOpen):
            return self.priority is Priority.BACKGROUND
        return isinstance(error, CarrierUnavailable | CarrierBadAnswer | Throttled)
