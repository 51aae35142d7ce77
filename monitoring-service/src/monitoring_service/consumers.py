"""Events of the queue `monitoring.events`: into the directory first, then into the live feed."""

from collections.abc import Callable, Sequence

from fleet_contracts.events import FleetEvent
from monitoring_service.directory.service import DirectoryService
from monitoring_service.live.event_log import EventLog
from monitoring_service.store.client import StoreError
from monitoring_service.store.inserts import StoreUnavailable


class EventsConsumer:
    """Handles batches of events; `on_device` is called for every device whose entry may have changed."""

    def __init__(
        self, directory: DirectoryService, event_log: EventLog, on_device: Callable[[str], None]
    ) -> None:
        self._directory, self._event_log, self._on_device = directory, event_log, on_device

    async def handle(self, events: Sequence[FleetEvent]) -> None:
        """Apply a batch; raises DependencyUnavailable while the store does not answer."""
        try:
            for device in await self._directory.apply_events(events):
                self._on_device(device)
            await self._event_log.write(events)
        except StoreError as error:
            raise StoreUnavailable(type(error).__name__) from error
