"""Publishes what devices count of their own traffic: whole hours, a few minutes after they grew.

An hour is summed anew from the store each time, so a repeated, late or lost round changes nothing for good.
"""

import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from uuid import UUID

from fleet_contracts.events import DeviceVolume, TelemetryVolume, VolumeData
from fleet_kit.messaging import Publisher
from monitoring_service.store.client import Document, Store
from monitoring_service.volumes.repository import METRIC, VolumeRepository

MAX_HOURS = 50
"""Hours of devices summed in one round, a bound to what this may cost the store."""
_RECOVERY_WINDOW = timedelta(hours=24)
"""How far back a starting worker reads, for what one that died had not published."""

Key = tuple[str, str, datetime]
"""Organisation, device, hour."""


class VolumePublisher:
    """Called with every stored reading. `gather`: seconds from the first reading of an hour to its event."""

    def __init__(self, store: Store, publisher: Publisher, *, gather: float) -> None:
        self._repository, self._publisher, self._gather = VolumeRepository(store), publisher, gather
        self._due: dict[Key, float] = {}
        self._recovered = False

    def on_stored(self, readings: Iterable[Document]) -> None:
        """Note the hours that grew."""
        due = time.monotonic() + self._gather
        for reading in readings:
            if METRIC in reading["metrics"]:
                self._due.setdefault(_key(reading), due)

    async def publish_due(self) -> None:
        """Publish the hours that are due; raises PublishFailed or StoreError and then keeps them."""
        if not self._recovered:
            await self._recover()
        now = time.monotonic()
        taken = [key for key, due in self._due.items() if due <= now][:MAX_HOURS]
        for key in taken:
            del self._due[key]
        try:
            by_owner: dict[str, list[DeviceVolume]] = {}
            for owner, device, hour in taken:
                total = await self._repository.bytes_in_hour(device, hour)
                volume = DeviceVolume(id=UUID(device), hour=hour, data_bytes=total)
                by_owner.setdefault(owner, []).append(volume)
            for owner, volumes in by_owner.items():
                await self._publisher.publish_event(_event(owner, volumes))
        except BaseException:
            self._due = dict.fromkeys(taken, now) | self._due
            raise

    async def _recover(self) -> None:
        """What a worker that died had not published is in the last hours of its devices."""
        since = datetime.now(UTC) - _RECOVERY_WINDOW
        async for reading in self._repository.measured_since(since):
            before = reading | {"ts": reading["ts"] - timedelta(hours=1)}
            self.on_stored([reading, before])
        self._recovered = True


def _key(reading: Document) -> Key:
    hour = reading["ts"].replace(minute=0, second=0, microsecond=0)
    return reading["organization_id"], reading["device_id"], hour


def _event(owner: str, volumes: list[DeviceVolume]) -> TelemetryVolume:
    return TelemetryVolume(
        source="monitoring-service",
        subject=owner,
        organizationid=UUID(owner),
        data=VolumeData(volumes=volumes),
    )
