"""Sightings from monitoring-service, by way of the queue `device.events`."""

from datetime import datetime
from uuid import UUID

import structlog
from pydantic import ValidationError

from device_service.presence.service import PresenceService
from device_service.servers import AWAY, is_away
from fleet_contracts.events import FleetEvent, TelemetryPresence, UnknownEventType, parse_event
from fleet_kit.consumer import Failure, Pause
from fleet_kit.delivery import Delivery, RejectNow

log = structlog.get_logger(__name__)


class PresenceConsumer:
    """Folds a batch of events into one change of the database. Other types of event are skipped."""

    def __init__(self, presence: PresenceService) -> None:
        self._presence = presence

    async def __call__(self, deliveries: list[Delivery]) -> list[Failure]:
        """Handle a batch; raises Pause while Postgres is away."""
        heard: dict[tuple[UUID, UUID], datetime] = {}
        failures = []
        for delivery in deliveries:
            try:
                _fold(parse_event(delivery.body), heard)
            except UnknownEventType as unknown:
                log.info("event skipped", reason=str(unknown))
            except ValidationError as error:
                failures.append(Failure(delivery, RejectNow(f"not a valid event: {error}"[:300])))
        await self._take_over(heard)
        return failures

    async def _take_over(self, heard: dict[tuple[UUID, UUID], datetime]) -> None:
        try:
            await self._presence.heard(heard)
        except AWAY as error:
            if not is_away(error):
                raise
            raise Pause(f"Postgres is away: {error!r}"[:300]) from error


def _fold(event: FleetEvent, heard: dict[tuple[UUID, UUID], datetime]) -> None:
    if not isinstance(event, TelemetryPresence) or event.organizationid is None:
        return
    for device in event.data.devices:
        key = (event.organizationid, device.id)
        heard[key] = max(heard.get(key, device.last_seen), device.last_seen)
