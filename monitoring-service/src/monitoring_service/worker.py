"""The worker: telemetry and events in, rejected messages, presence, retention."""

from collections.abc import Awaitable, Callable

from fleet_contracts.topology import MONITORING_EVENTS, MONITORING_TELEMETRY, Queue
from fleet_kit.consumer import BatchConsumer, Handler
from fleet_kit.denylist import open_redis
from fleet_kit.messaging import Publisher
from fleet_kit.scope import EVERYTHING
from fleet_kit.worker import every, main, run_worker
from monitoring_service.facts.consumers import EventsHandler
from monitoring_service.facts.directory import DeviceDirectory
from monitoring_service.facts.repository import FactsRepository
from monitoring_service.facts.service import Facts
from monitoring_service.latest.service import LatestKeeper
from monitoring_service.live.journal import Journal
from monitoring_service.live.loop import Hint
from monitoring_service.presence.service import Presence
from monitoring_service.readings.carry import Carry
from monitoring_service.readings.consumers import TelemetryHandler
from monitoring_service.readings.ingest import Ingest
from monitoring_service.readings.service import Retention
from monitoring_service.rejected.consumers import DeadTelemetryHandler
from monitoring_service.rejected.service import RejectedList
from monitoring_service.settings import Settings, settings
from monitoring_service.store.client import Store, open_store
from monitoring_service.store.counts import Counts
from monitoring_service.store.sequence import Sequence
from monitoring_service.volumes.service import Volumes

NAME = "monitoring-worker"
CARRY_SECONDS = 0.5
SETTLE_SECONDS = 2
FOLD_SECONDS = 10
RETENTION_SECONDS = 600
VOLUMES_SECONDS = 10
DEAD_TELEMETRY = Queue(MONITORING_TELEMETRY.dead)


class Worker:
    """Everything that one worker process runs."""

    def __init__(self, config: Settings, store: Store, publisher: Publisher, hint: Hint) -> None:
        self._config, self._publisher = config, publisher
        clock = Sequence(store)
        latest, presence = LatestKeeper(store), Presence(publisher)
        keepers = (latest.heard, presence.heard)
        self.volumes = Volumes(store, publisher, gather=config.volume_gather_seconds)
        ingest = Ingest(store, clock, (*keepers, self.volumes.heard, hint))
        directory = DeviceDirectory(FactsRepository(store, EVERYTHING))
        rejected = RejectedList(store)
        self.carry = Carry(store, clock, ingest, keepers, (latest.flush, presence.flush))
        self.clock, self.counts = clock, Counts(store, clock)
        self.retention = Retention(store, config.retention)
        telemetry = TelemetryHandler(
            directory, ingest, rejected, unknown_attempts=config.unknown_device_attempts
        )
        events = EventsHandler(Facts(store, EVERYTHING), Journal(store, clock, hint), directory.forget)
        self.consumers = {
            "consume telemetry": self._consumer(MONITORING_TELEMETRY, telemetry),
            "consume events": self._consumer(MONITORING_EVENTS, events),
            "consume dead telemetry": self._consumer(
                DEAD_TELEMETRY, DeadTelemetryHandler(directory, telemetry, rejected)
            ),
        }

    def jobs(self) -> dict[str, Callable[[], Awaitable[None]]]:
        """Every job by name."""
        rounds: dict[str, tuple[float, Callable[[], Awaitable[object]]]] = {
            "settle": (SETTLE_SECONDS, self.clock.settle_expired),
            "fold": (FOLD_SECONDS, self.counts.fold),
            "retention": (RETENTION_SECONDS, self.retention.sweep),
            "volumes": (VOLUMES_SECONDS, self.volumes.round),
        }
        consumers = {name: consumer.run for name, consumer in self.consumers.items()}
        return (
            consumers
            | {"carry": self._carry}
            | {name: _repeat(name, pause, job) for name, (pause, job) in rounds.items()}
        )

    async def _carry(self) -> None:
        recovered = False

        async def once() -> None:
            nonlocal recovered
            if not recovered:
                await self.carry.recover()
                recovered = True
            await self.carry.round()

        await every(CARRY_SECONDS, once, name="carry")

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
    worker = Worker(config, store, publisher, Hint(redis))
    checks = {name: consumer.check for name, consumer in worker.consumers.items()} | {"store": store.check}
    stops = [consumer.stop for consumer in worker.consumers.values()]
    try:
        await run_worker(NAME, config, worker.jobs(), checks=checks, stops=stops)
        await worker.carry.round()
    finally:
        await publisher.close()
        await redis.aclose()
        store.close()


if __name__ == "__main__":
    main(run)
