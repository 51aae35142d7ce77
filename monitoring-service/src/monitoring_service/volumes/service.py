"""Publishes what devices count of their own traffic: whole hours, a few minutes after they grew.

An hour is summed anew from the store each time, so a repeated, late or lost round changes nothing for good.
What a worker that died had not published is recovered with the projections, see readings/checkpoint.py.
"""

import asyncio
import time
from collections.abc import Iterable
from datetime import UTC
from uuid import UUID

import structlog
from prometheus_client import Counter

from fleet_contracts.events import DeviceVolume, TelemetryVolume, VolumeData
from fleet_kit.health import Degraded
from fleet_kit.messaging import Publisher
from monitoring_service.store.client import Document, Store, StoreError
from monitoring_service.volumes.repository import METRIC, VolumeRepository
from monitoring_service.volumes.waiting import Key, WaitingHours

log = structlog.get_logger(__name__)
GIVEN_UP = Counter(
    "monitoring_volumes_given_up_total", "Hours of devices that were not published", ["reason"]
)
MAX_HOURS = 50
"""Hours of devices summed before others have the store again for as long as that took."""
MAX_TRIES = 5
_TOLD_SECONDS = 3600.0
"""For how long the health says that an hour was given up."""


class VolumePublisher:
    """Called with every stored reading. `gather`: seconds from the first reading of an hour to its event."""

    def __init__(self, store: Store, publisher: Publisher, *, gather: float) -> None:
        self._store, self._repository = store, VolumeRepository(store)
        self._publisher, self._gather = publisher, gather
        self._waiting, self._tries = WaitingHours(), dict[Key, int]()
        self._given_up_at: float | None = None

    def on_stored(self, readings: Iterable[Document]) -> None:
        """Note the hours that grew."""
        self._note(readings, time.monotonic() + self._gather)

    def on_recovered(self, readings: Iterable[Document]) -> None:
        """Note hours of which nobody knows whether they were published: they have waited for long enough."""
        self._note(readings, time.monotonic())

    async def publish_due(self) -> None:
        """Publish all hours that are due; raises PublishFailed or StoreError and then keeps the rest."""
        while taken := self._waiting.take(time.monotonic(), MAX_HOURS):
            began = time.monotonic()
            await self._publish(taken)
            await asyncio.sleep(time.monotonic() - began)

    async def check(self) -> None:
        """Raise Degraded while an hour was given up lately."""
        if self._given_up_at is not None and time.monotonic() - self._given_up_at < _TOLD_SECONDS:
            raise Degraded("hours of devices were given up, see the log")

    def _note(self, readings: Iterable[Document], due: float) -> None:
        for reading in readings:
            if METRIC in reading["metrics"] and not self._waiting.add(_key(reading), due):
                self._give_up(_key(reading), "too many wait")

    async def _publish(self, taken: list[Key]) -> None:
        """Sum and publish hours; one that fails does not hold the others."""
        left, by_owner = dict.fromkeys(taken), dict[str, list[DeviceVolume]]()
        try:
            for key in taken:
                volume = await self._sum(key)
                if volume is None:
                    del left[key]
                else:
                    by_owner.setdefault(key[0], []).append(volume)
            for owner, volumes in by_owner.items():
                await self._publisher.publish_event(_event(owner, volumes))
                left = {key: None for key in left if key[0] != owner}
        except BaseException:
            self._waiting.put_back(left, time.monotonic())
            raise

    async def _sum(self, key: Key) -> DeviceVolume | None:
        _, device, hour = key
        try:
            total = await self._repository.bytes_in_hour(device, hour)
            volume = None if total is None else DeviceVolume(id=UUID(device), hour=hour, data_bytes=total)
        except Exception as error:
            if isinstance(error, StoreError):
                await self._store.check()  # raises where it is not this hour's fault
            self._try_again(key, error)
            return None
        self._tries.pop(key, None)
        return volume

    def _try_again(self, key: Key, error: Exception) -> None:
        tries = self._tries.pop(key, 0) + 1
        if tries < MAX_TRIES and self._waiting.add(key, time.monotonic() + self._gather):
            self._tries[key] = tries
            log.warning("a volume failed, will be tried again", device_id=key[1], error=repr(error))
        else:
            self._give_up(key, type(error).__name__)

    def _give_up(self, key: Key, reason: str) -> None:
        GIVEN_UP.labels(reason).inc()
        if self._given_up_at is None or time.monotonic() - self._given_up_at > 1:
            log.error("a volume is given up", organization_id=key[0], device_id=key[1], reason=reason)
        self._given_up_at = time.monotonic()


def _key(reading: Document) -> Key:
    hour = reading["ts"].astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    return reading["organization_id"], reading["device_id"], hour


def _event(owner: str, volumes: list[DeviceVolume]) -> TelemetryVolume:
    return TelemetryVolume(
        source="monitoring-service",
        subject=owner,
        organizationid=UUID(owner),
        data=VolumeData(volumes=volumes),
    )
