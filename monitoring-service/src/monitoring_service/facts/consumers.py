"""Events of the other services in: facts first, then the live feed, then the acknowledgement."""

from collections.abc import Callable, Sequence

from fleet_kit.consumer import Failure
from fleet_kit.delivery import Delivery
from fleet_kit.event_handlers import read_events
from monitoring_service.facts.service import Facts
from monitoring_service.live.journal import Journal
from monitoring_service.store.client import StoreError
from monitoring_service.store.writing import StoreAway


class EventsHandler:
    """Handles batches of the events queue; `on_device` is told of every device whose facts changed."""

    def __init__(self, facts: Facts, journal: Journal, on_device: Callable[[str], None]) -> None:
        self._facts, self._journal, self._on_device = facts, journal, on_device

    async def __call__(self, deliveries: list[Delivery]) -> Sequence[Failure]:
        """Apply what is valid, reject what is not; raises Pause while the store is away."""
        read, failures = read_events(deliveries)
        events = [event for _, event in read]
        try:
            for device in await self._facts.learn(events):
                self._on_device(device)
            await self._journal.write(events)
        except StoreError as error:
            raise StoreAway(type(error).__name__) from error
        return failures
