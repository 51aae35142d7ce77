"""The worker: telemetry and events in, rejected messages, presence, retention."""

from collections.abc import Awaitable, Callable

from fleet_contracts.topology import MONITORING_EVENTS, MONITORING_TELEMETRY, Queue
from fleet_kit.consumer import BatchConsumer, Handler
from fleet_kit.event_handlers import on_event_batch
from fleet_kit.messaging import Publisher
from fleet_kit.redis_client import open_redis
from fleet_kit.scope import EVERYTHING
from fleet_kit.worker import every, main, run_worker
from monitoring_service.consumers import EventsConsumer
from monitoring_service.dead_letters.consumers import DeadTelemetryHandler
from monitoring_service.directory.owner_cache import DeviceOwnerCache
from monitoring_service.directory.service import DirectoryService
from monitoring_service.latest.service import LatestProjection
from monitoring_service.live.event_log import EventLog
from monitoring_service.live.notifier import StoredNotifier
from monitoring_service.presence.service import PresencePublisher
from monitoring_service.readings.checkpoint import ProjectionCheckpoint
from monitoring_service.readings.consumers import TelemetryHandler
from monitoring_service.readings.retention import Retention
from monitoring_service.readings.writer import ReadingWriter
from monitoring_service.rejected.service import RejectedMessageService
from monitoring_service.settings import Settings, settings
from monitoring_service.store.client import Store, open_store
from monitoring_service.store.counts import Counts
from monitoring_service.store.sequence import StorageSequence
from monitoring_service.volumes.service import VolumePublisher

NAME = "monitoring-worker"
CHECKPOINT_SECONDS = 0.5
SETTLE_SECONDS = 2
FOLD_SECONDS = 10
RETENTION_SECONDS = 600
VOLUMES_SECONDS = 10
DEAD_TELEMETRY = Queue(MONITORING_TELEMETRY.dead)


class Worker:
    """Everything that one worker process runs."""

    def __init__(
        self, config: Settings, store: Store, publisher: Publisher, notifier: StoredNotifier
    ) -> None:
        self._config, self._publisher = config, publisher
        sequence = StorageSequence(store)
        latest, presence = LatestProjection(store), PresencePublisher(publisher)
        projections = (latest.on_stored, presence.on_stored)
        self.volumes = VolumePublisher(store, publisher, gather=config.volume_gather_seconds)
        writer = ReadingWriter(store, sequence, (*projections, self.volumes.on_stored, notifier))
        owners = DeviceOwnerCache(DirectoryService(store, EVERYTHING))
        rejected = RejectedMessageService(store)
        self.checkpoint = ProjectionCheckpoint(
            store, sequence, writer, projections, (latest.flush, presence.flush)
        )
        self.sequence, self.counts = sequence, Counts(store, sequence)
        self.retention = Retention(store, config.retention)
        telemetry = TelemetryHandler(
            owners, writer, rejected, unknown_attempts=config.unknown_device_attempts
        )
        events = EventsConsumer(
            DirectoryService(store, EVERYTHING), EventLog(store, sequence, notifier), owners.forget
        )
        self.consumers = {
            "consume telemetry": self._consumer(MONITORING_TELEMETRY, telemetry),
            "consume events": self._consumer(MONITORING_EVENTS, on_event_batch(events.handle)),
            "consume dead telemetry": self._consumer(
                DEAD_TELEMETRY, DeadTelemetryHandler(owners, telemetry, rejected)
            ),
        }

    def jobs(self) -> dict[str, Callable[[], Awaitable[None]]]:
        """Every job by name."""
        rounds: dict[str, tuple[float, Callable[[], Awaitable[object]]]] = {
            "settle": (SETTLE_SECONDS, self.sequence.settle_expired),
            "fold": (FOLD_SECONDS, self.counts.fold),
            "retention": (RETENTION_SECONDS, self.retention.sweep),
            "volumes": (VOLUMES_SECONDS, self.volumes.publish_due),
        }
        consumers = {name: consumer.run for name, consumer in self.consumers.items()}
        return (
            consumers
            | {"projections": self._project}
            | {name: _repeat(name, pause, job) for name, (pause, job) in rounds.items()}
        )

    async def _project(self) -> None:
        replayed = False

        async def once() -> None:
            nonlocal replayed
            if not replayed:
                await self.checkpoint.replay()
                replayed = True
            await self.checkpoint.advance()

        await every(CHECKPOINT_SECONDS, once, name="projections")

    def _consumer(self, queue: Queue, handler: Handler) -> BatchConsumer:
        return BatchConsumer(
            self._config.amqp_url.get_secret_value(),
            queue,
            handler,
            self._publisher,
            NAME,
            max_batch=self._config.batch_messages,
            max_wait=self._config.batch_wait_seconds,
            prefetch=min(2 * self._config.batch_messages, 2000),
        )


def _repeat(name: str, pause: float, job: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[None]]:
    async def once() -> None:
        await job()

    return lambda: every(pause, once, name=name)


async def run() -> None:
    """Run every job of the service until it is asked to stop."""
    config = settings()
    store = open_store(
        config.mongo_url.get_secret_value(),
        config.mongo_database,
        timeout_seconds=config.mongo_timeout_seconds,
    )
    redis = open_redis(config.redis_url.get_secret_value())
    publisher = Publisher(
        config.amqp_url.get_secret_value(), NAME, timeout_seconds=config.publish_timeout_seconds
    )
    worker = Worker(config, store, publisher, StoredNotifier(redis))
    checks = {name: consumer.check for name, consumer in worker.consumers.items()} | {"store": store.check}
    stops = [consumer.stop for consumer in worker.consumers.values()]
    try:
        await run_worker(NAME, config, worker.jobs(), checks=checks, stops=stops)
        await worker.checkpoint.advance()
    finally:
        await publisher.close()
        await redis.aclose()
        store.close()


if __name__ == "__main__":
    main(run)
