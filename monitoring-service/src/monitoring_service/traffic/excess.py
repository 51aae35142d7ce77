"""Tells device-service who sends more over MQTT than it may."""

import time
from contextlib import suppress
from uuid import UUID

from fleet_contracts.events import ExcessData, TelemetryExcess
from fleet_contracts.topology import DEVICES_TELEMETRY
from fleet_kit.messaging import Publisher, PublishFailed
from monitoring_service.store.client import StoreError
from monitoring_service.store.sequence import StorageSequence
from monitoring_service.traffic.service import TrafficLimit

MAX_DEVICES = 50
"""Devices of one event, those that send the most; of the others the messages wait, too."""


class ExcessPublisher:
    """`services` and `devices`: publishers of the two virtual hosts."""

    def __init__(
        self, limit: TrafficLimit, sequence: StorageSequence, services: Publisher, devices: Publisher
    ) -> None:
        self._limit, self._services, self._devices = limit, services, devices
        self._sequence: StorageSequence | None = sequence

    async def publish(self) -> None:
        """Look who it is, and publish one event per organisation. Who is away is asked again."""
        with suppress(PublishFailed, StoreError):  # whoever is not told of now is found again
            await self._publish()

    async def _publish(self) -> None:
        if self._sequence is not None:
            # Only now, in a job: a worker starts without its store, too.
            last = (await self._sequence.snapshot()).last
            self._limit.has_waited(time.time() - last / 1_000_000 if last else 0)
            self._sequence = None
        depth = await self._devices.depth(DEVICES_TELEMETRY.name)
        for organization, devices in self._limit.find_excess(time.monotonic(), depth).items():
            await self._services.publish_event(_event(organization, devices[:MAX_DEVICES]))


def _event(organization: str, devices: list[str]) -> TelemetryExcess:
    return TelemetryExcess(
        source="monitoring-service",
        subject=organization,
        organizationid=UUID(organization),
        data=ExcessData(devices=[UUID(device) for device in devices]),
    )
