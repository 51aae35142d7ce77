"""Events of the other services, by way of the queue `device.events`."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from device_service.presence.service import PresenceService, newest
from device_service.sim_links.service import SimLinkService
from device_service.throttling.service import ThrottlingService
from fleet_contracts.events import FleetEvent, SimUpdated, TelemetryExcess, TelemetryPresence
from fleet_kit.event_handlers import hold_while_unavailable


@dataclass
class _Batch:
    """What a batch comes down to: only the newest state of each device and each SIM matters."""

    last_seen: dict[tuple[UUID, UUID], datetime] = field(default_factory=dict)
    watermark: datetime | None = None
    excess: list[TelemetryExcess] = field(default_factory=list)
    links: dict[tuple[UUID, str], UUID | None] = field(default_factory=dict)

    def fold(self, event: FleetEvent) -> None:
        if isinstance(event, TelemetryPresence):
            self.watermark = newest(self.watermark, event.data.watermark)
            for device in event.data.devices:
                key = (event.owner, device.id)
                self.last_seen[key] = max(self.last_seen.get(key, device.last_seen), device.last_seen)
        elif isinstance(event, TelemetryExcess):
            self.excess.append(event)
        elif isinstance(event, SimUpdated):
            self.links[event.owner, event.data.iccid] = event.data.device_id


class EventsConsumer:
    """Turns a batch of events into few changes of the database. Other types of event are skipped."""

    def __init__(
        self, presence: PresenceService, sim_links: SimLinkService, throttling: ThrottlingService
    ) -> None:
        self._presence, self._sim_links, self._throttling = presence, sim_links, throttling

    async def handle(self, events: Iterable[FleetEvent]) -> None:
        """Handle a batch; raises DependencyUnavailable while Postgres does not answer."""
        batch = _Batch()
        for event in events:
            batch.fold(event)
        with hold_while_unavailable():
            await self._presence.record(batch.last_seen, batch.watermark)
            await self._sim_links.apply(batch.links)
            for event in batch.excess:
                self._throttling.enqueue(event.owner, event.data.devices)
