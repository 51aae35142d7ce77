"""Publishes for device-service which devices sent a message: one event per organisation and round."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from fleet_contracts.events import DeviceSeen, PresenceData, TelemetryPresence
from fleet_kit.messaging import Publisher
from monitoring_service.store.client import Document

MAX_DEVICES = 1000
"""Devices in one event."""


class PresencePublisher:
    """Called with every reading that arrived; `flush` publishes. See readings/checkpoint.py."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._waiting: dict[tuple[str, str], datetime] = {}

    def on_arrival(self, readings: Iterable[Document]) -> None:
        """Remember when each device last sent a message."""
        waiting = self._waiting
        for reading in readings:
            key, moment = (reading["organization_id"], reading["device_id"]), reading["received_at"]
            known = waiting.get(key)
            if known is None or moment > known:
                waiting[key] = moment

    async def flush(self) -> None:
        """Publish what waits; raises PublishFailed and then keeps what was not confirmed."""
        taken, self._waiting = self._waiting, {}
        by_owner: dict[str, list[tuple[str, datetime]]] = {}
        for (organization, device), moment in taken.items():
            by_owner.setdefault(organization, []).append((device, moment))
        try:
            for organization, devices in by_owner.items():
                for start in range(0, len(devices), MAX_DEVICES):
                    await self._publisher.publish_event(
                        _event(organization, devices[start : start + MAX_DEVICES])
                    )
                for device, _ in devices:
                    taken.pop((organization, device))
        except BaseException:
            for key, moment in taken.items():
                self._waiting[key] = max(moment, self._waiting.get(key, moment))
            raise


def _event(organization: str, devices: list[tuple[str, datetime]]) -> TelemetryPresence:
    seen = [DeviceSeen(id=UUID(device), last_seen=moment) for device, moment in devices]
    return TelemetryPresence(
        source="monitoring-service",
        subject=organization,
        organizationid=UUID(organization),
        data=PresenceData(devices=seen),
    )
