from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from fleet_contracts.events import PresenceData, TelemetryPresence
from fleet_contracts.topology import Queue
from fleet_kit.messaging import HEARTBEAT_SECONDS, Publisher
from monitoring_service.store.client import Store, StoreError
from monitoring_service.store.inserts import StoreUnavailable
from monitoring_service.store.reads import Reads
from monitoring_service.watermark.marks import QueueMark
from monitoring_service.watermark.models import WorkerProgress, fleet_watermark
from monitoring_service.watermark.repository import WatermarkRepository

HELD = timedelta(seconds=4 * HEARTBEAT_SECONDS)
"""The broker takes back what a worker holds that has been silent for two heartbeats; more, to be sure."""
RENEWED = timedelta(seconds=10)
FORGOTTEN = timedelta(days=1)
"""What a worker held that has been gone for so long has come back to the queues long ago."""
NO_ORGANIZATION = UUID(int=0)
"""The watermark goes for all of them."""


class WatermarkService:
    """One worker's part in the watermark of the fleet."""

    def __init__(self, store: Store, publisher: Publisher) -> None:
        self._repository, self._publisher = WatermarkRepository(store), publisher
        self._id, self._marks, self._joined = uuid4().hex, list[QueueMark](), False
        self._saved: datetime | None = None
        self._published: datetime | None = None
        self._renew_at = datetime.now(UTC)

    def mark(self, queue: Queue, publisher: Publisher) -> QueueMark:
        """The marks of one more queue."""
        self._marks.append(QueueMark(queue, publisher, self._join, self._rejoin))
        return self._marks[-1]

    async def send(self) -> None:
        """Send a mark through each queue, and renew the progress; raises StoreError, PublishFailed."""
        if self._joined and datetime.now(UTC) >= self._renew_at:
            await self._save(self._saved)
        for mark in self._marks:
            await mark.send()

    @property
    def reached(self) -> datetime | None:
        """How far this worker is in all queues; None until it has met a mark in each."""
        known = [mark.reached for mark in self._marks if mark.reached is not None]
        return min(known) if known and len(known) == len(self._marks) else None

    async def publish(self, reached: datetime | None) -> None:
        """Publish how far the fleet is, now that what this worker handled until `reached` is told of.

        Raises StoreError, PublishFailed, and then it is published again.
        """
        if not self._joined or reached is None or reached == self._published:
            return
        await self._save(reached)
        await self._publish_fleet_watermark(reached)
        self._published = reached

    async def leave(self) -> None:
        """Hold up nobody any longer, now that nothing is consumed; raises StoreError."""
        if self._joined:
            await self._save(self._saved, held=timedelta(0))

    async def _publish_fleet_watermark(self, own: datetime) -> None:
        workers = await self._repository.workers()
        if workers is None:
            await self._repository.forget_before(datetime.now(UTC) - FORGOTTEN)
            return
        others = [worker for worker in workers if worker.id != self._id]
        watermark = fleet_watermark(own, others)
        if watermark is None:
            return
        await self._publisher.publish_event(_event(watermark))
        await self._repository.advance(watermark)
        if gone := [worker for worker in others if worker.holds_until < watermark]:
            await self._repository.forget(gone)

    def _rejoin(self) -> None:
        """A consumer has lost its connection, and what it held may be given to another worker.

        So this worker counts as one that is gone, whose progress holds up others, and as a new one.
        """
        if not self._joined:
            return
        self._id, self._joined, self._saved, self._published = uuid4().hex, False, None, None
        for mark in self._marks:
            mark.reached = None

    async def _join(self) -> None:
        """Before anything is given to this worker that others would not know of; raises StoreUnavailable."""
        if self._joined:
            return
        try:
            await self._save(None)
        except StoreError as error:
            raise StoreUnavailable(type(error).__name__) from error
        self._joined = True

    async def _save(self, watermark: datetime | None, *, held: timedelta = HELD) -> None:
        now = datetime.now(UTC)
        await self._repository.write(WorkerProgress(self._id, watermark, now + held))
        self._saved, self._renew_at = watermark, now + RENEWED


class WatermarkQueries:
    """The watermark of the fleet for those who ask."""

    def __init__(self, store: Store, reads: Reads) -> None:
        self._repository = WatermarkRepository(store, reads)

    async def heard_until(self, now: datetime) -> datetime:
        """Silence says something up to then; `now` before any worker has told how far it is."""
        watermark = await self._repository.fleet_watermark()
        return min(watermark or now, now)


def _event(watermark: datetime) -> TelemetryPresence:
    return TelemetryPresence(
        source="monitoring-service",
        subject="watermark",
        organizationid=NO_ORGANIZATION,
        data=PresenceData(devices=[], watermark=watermark),
    )
