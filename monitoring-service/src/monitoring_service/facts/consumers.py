"""Events of the other services in: facts first, then the live feed, then the acknowledgement."""

from collections.abc import Callable, Sequence

import structlog
from pydantic import ValidationError

from fleet_contracts.events import FleetEvent, UnknownEventType, parse_event
from fleet_kit.consumer import Failure
from fleet_kit.delivery import Delivery, RejectNow
from monitoring_service.facts.service import Facts
from monitoring_service.live.journal import Journal
from monitoring_service.store.client import StoreError
from monitoring_service.store.writing import StoreAway

log = structlog.get_logger(__name__)


class EventsHandler:
    """Handles batches of the events queue; `on_device` is told of every device whose facts changed."""

    def __init__(self, facts: Facts, journal: Journal, on_device: Callable[[str], None]) -> None:
        self._facts, self._journal, self._on_device = facts, journal, on_device

    async def __call__(self, deliveries: list[Delivery]) -> Sequence[Failure]:
        """Apply what is valid, reject what is not; raises Pause while the store is away."""
        events, failures = [], []
        for delivery in deliveries:
            try:
                events.extend(_event(delivery))
            except (ValidationError, ValueError) as error:
                failures.append(Failure(delivery, RejectNow(f"not a valid event: {error}"[:300])))
        try:
            for device in await self._facts.learn(events):
                self._on_device(device)
            await self._journal.write(events)
        except StoreError as error:
            raise StoreAway(type(error).__name__) from error
        return failures


def _event(delivery: Delivery) -> list[FleetEvent]:
    """The event, nothing where this service does not know the type: contracts grow."""
    try:
        event = parse_event(delivery.body)
    except UnknownEventType as unknown:
        log.info("event skipped", reason=str(unknown))
        return []
    if event.organizationid is None and event.type.split(".")[0] in {"device", "sim", "alert"}:
        raise ValueError("organizationid is missing")
    return [event]
