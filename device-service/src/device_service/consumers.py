"""What other services tell this one, by way of the queue `device.events`."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from device_service.presence.service import PresenceService
from device_service.sim_links.service import SimLinkService
from fleet_contracts.events import FleetEvent, SimUpdated, TelemetryPresence
from fleet_kit.consumer import Failure
from fleet_kit.delivery import Delivery
from fleet_kit.event_handlers import pausing_while_away, read_events


@dataclass
class _Batch:
    """What a batch comes down to: only the newest word on each device and each SIM matters."""

    heard: dict[tuple[UUID, UUID], datetime] = field(default_factory=dict)
    links: dict[tuple[UUID, str], UUID | None] = field(default_factory=dict)

    def fold(self, event: FleetEvent) -> None:
        if isinstance(event, TelemetryPresence):
            for device in event.data.devices:
                key = (event.owner, device.id)
                self.heard[key] = max(self.heard.get(key, device.last_seen), device.last_seen)
        elif isinstance(event, SimUpdated):
            self.links[event.owner, event.data.iccid] = event.data.device_id


class EventsConsumer:
    """Turns a batch of events into few changes of the database. Other types of event are skipped."""

    def __init__(self, presence: PresenceService, sim_links: SimLinkService) -> None:
        self._presence, self._sim_links = presence, sim_links

    async def __call__(self, deliveries: list[Delivery]) -> list[Failure]:
        """Handle a batch; raises Pause while Postgres is away."""
        batch = _Batch()
        events, failures = read_events(deliveries)
        for _, event in events:
            batch.fold(event)
        with pausing_while_away():
            await self._presence.heard(batch.heard)
            await self._sim_links.follow(batch.links)
        return failures
