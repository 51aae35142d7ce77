"""The worker: telemetry and events in, rejected messages, presence, retention."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from fleet_contracts.telemetry import MAX_BYTES
from fleet_contracts.topology import DEVICES_TELEMETRY, MONITORING_EVENTS, MONITORING_TELEMETRY, Queue
from fleet_kit.batching import Backlog
from fleet_kit.consumer import BatchConsumer, Handler
from fleet_kit.event_handlers import on_event_batch
from fleet_kit.health import Check
from fleet_kit.job_health import JobHealth
from fleet_kit.messaging import Publisher
from fleet_kit.redis_client import open_redis
from fleet_kit.scope import EVERYTHING
from fleet_kit.worker import every, main, run_worker
from fleet_kit.write_checks import WriteCheck
from monitoring_service.consumers import EventsConsumer
from monitoring_service.dead_letters.consumers import DeadTelemetryHandler
from monitoring_service.directory.owner_cache import DeviceOwnerCache
from monitoring_service.directory.service import DirectoryService
from monitoring_service.latest.service import DeletedDevices, LatestProjection
from monitoring_service.live.event_log import EventLog
from monitoring_service.live.notifier import StoredNotifier
from monitoring_service.presence.service import PresencePublisher
from monitoring_service.readings.checkpoint import ProjectionCheckpoint
from monitoring_service.readings.consumers import ExcessHandler, TelemetryHandler
from monitoring_service.readings.retention import Retention
from monitoring_service.readings.writer import ReadingWriter
from monitoring_service.rejected.service import RejectedMessageService
from monitoring_service.settings import Settings, settings
from monitoring_service.store.client import Store, open_store
from monitoring_service.store.counts import Counts
from monitoring_service.store.sequence import StorageSequence
from monitoring_service.store.slots import give_slots
from monitoring_service.traffic.excess import ExcessPublisher
from monitoring_service.traffic.service import Rate, TrafficLimit
from monitoring_service.volumes.service import VolumePublisher
from monitoring_service.watermark.service import WatermarkService

NAME = "monitoring-worker"
CHECKPOINT_SECONDS = 0.5
SETTLE_SECONDS = 2
FOLD_SECONDS = 10
RETENTION_SECONDS = 600
VOLUMES_SECONDS = 10
EXCESS_SECONDS = 0.25
WATERMARK_SECONDS = 1
VOLUMES_LATE_SECONDS = 120
"""How long an hour that is due may wait for its turn, and still be found by the worker after this one."""
DEAD_BATCH_MESSAGES = 10
EXCESS_BATCH_MESSAGES, EXCESS_BATCH_BYTES = 16, 64 * 1024
"""So few, because others may come meanwhile."""
BATCHES_IN_MEMORY = 2
"""One in hand and one that waits for it."""
SLOTS_SECONDS = 60
"""How soon what a worker of an earlier version writes, while both run, is listed again."""


@dataclass(frozen=True)
class Publishers:
    """One for each virtual host: moving a message to its retries or dead letters stays inside it."""

    services: Publisher
    devices: Publisher

    @classmethod
    def of(cls, config: Settings) -> "Publishers":
        timeout = config.publish_timeout_seconds
        urls = (config.amqp_url.get_secret_value(), config.devices_amqp_url)
        return cls(*(Publisher(url, NAME, timeout_seconds=timeout) for url in urls))

    async def close(self) -> None:
        await self.services.close()
        await self.devices.close()


class Worker:
    """Everything that one worker process runs."""

    def __init__(
        self, config: Settings, store: Store, publishers: Publishers, notifier: StoredNotifier
    ) -> None:
        self._config, self._store, self._publishers = config, store, publishers
        publisher = publishers.services
        sequence = StorageSequence(store)
        latest, presence = LatestProjection(store), PresencePublisher(publisher)
        self.watermark = WatermarkService(store, publisher)
        self.volumes = VolumePublisher(store, publisher, gather=config.volume_gather_seconds)
        listeners, on_arrival = (latest.on_stored, self.volumes.on_stored, notifier), (presence.on_arrival,)
        writer = ReadingWriter(store, sequence, listeners, on_arrival=on_arrival, kept=config.retention)
        owners = DeviceOwnerCache(DirectoryService(store, EVERYTHING))
        rejected = RejectedMessageService(store, config.rejected_retention)
        self.checkpoint = self._checkpoint(sequence, writer, latest, presence)
        self.job_health = JobHealth()
        self.sequence, self.counts = sequence, Counts(store, sequence)
        self.give_slots = partial(give_slots, store.devices, store.latest)
        self.deleted_devices = DeletedDevices(store, config.deleted_devices_retention)
        self.retention = Retention(store, config.retention)
        handler = partial(
            TelemetryHandler, owners, writer, rejected, unknown_attempts=config.unknown_device_attempts
        )
        mark = self.watermark.mark(MONITORING_TELEMETRY, publisher)
        telemetry = handler(mark=mark)
        events = EventsConsumer(
            DirectoryService(store, EVERYTHING), EventLog(store, sequence, notifier), owners.forget
        )
        dead = DeadTelemetryHandler(owners, handler(), rejected)
        self.consumers = {
            "consume telemetry": self._consumer(
                MONITORING_TELEMETRY, telemetry, on_session=mark.session_begins
            ),
            "consume dead telemetry": self._consumer(Queue(MONITORING_TELEMETRY.dead), dead, last=True),
            "consume dead telemetry of devices": self._consumer(
                Queue(DEVICES_TELEMETRY.dead), dead, of_devices=True, last=True
            ),
            "consume events": self._consumer(MONITORING_EVENTS, on_event_batch(events.handle)),
            **self._of_devices(partial(handler, max_bytes=MAX_BYTES, on_set_aside=presence.on_arrival)),
        }

    def _of_devices(self, handler: Callable[..., TelemetryHandler]) -> dict[str, BatchConsumer]:
        """Consumers of what came over MQTT, within the limits and beyond them."""
        backlog = Backlog()
        limit = _traffic_limit(self._config, backlog)
        self.excess = ExcessPublisher(
            limit, self.sequence, self._publishers.services, self._publishers.devices
        )
        mark = self.watermark.mark(DEVICES_TELEMETRY, self._publishers.devices)
        excess = Queue(DEVICES_TELEMETRY.excess)
        return {
            "consume telemetry of devices": self._consumer(
                DEVICES_TELEMETRY,
                handler(limit=limit, mark=mark),
                of_devices=True,
                backlog=backlog,
                on_session=mark.session_begins,
            ),
            "consume excess of devices": self._consumer(
                excess,
                ExcessHandler(handler(), limit),
                of_devices=True,
                size=EXCESS_BATCH_MESSAGES,
                max_batch_bytes=EXCESS_BATCH_BYTES,
                failures_of=DEVICES_TELEMETRY,
            ),
        }

    def _checkpoint(
        self,
        sequence: StorageSequence,
        writer: ReadingWriter,
        latest: LatestProjection,
        presence: PresencePublisher,
    ) -> ProjectionCheckpoint:
        return ProjectionCheckpoint(
            self._store,
            sequence,
            writer,
            (latest.on_stored, presence.on_arrival),
            (latest.flush, presence.flush),
            late=(self.volumes.on_recovered,),
            late_seconds=self._config.volume_gather_seconds + VOLUMES_LATE_SECONDS,
        )

    def jobs(self) -> dict[str, Callable[[], Awaitable[None]]]:
        """Every job by name."""
        rounds: dict[str, tuple[float, Callable[[], Awaitable[object]]]] = {
            "settle": (SETTLE_SECONDS, self.sequence.settle_expired),
            "fold": (FOLD_SECONDS, self.counts.fold),
            "slots": (SLOTS_SECONDS, self.give_slots),
            "deleted devices": (RETENTION_SECONDS, self.deleted_devices.sweep),
            "retention": (RETENTION_SECONDS, self.retention.sweep),
            "excess": (EXCESS_SECONDS, self.excess.publish),
            "watermark": (WATERMARK_SECONDS, self.watermark.send),
            "volumes": (VOLUMES_SECONDS, self.volumes.publish_due),
            "late replay": (VOLUMES_SECONDS, self.checkpoint.recover_late),
        }
        consumers = {name: consumer.run for name, consumer in self.consumers.items()}
        return (
            consumers
            | {"projections": self._project}
            | {name: self._repeat(name, pause, job) for name, (pause, job) in rounds.items()}
        )

    async def _project(self) -> None:
        replayed = False

        async def once() -> None:
            nonlocal replayed
            if not replayed:
                await self.checkpoint.replay()
                replayed = True
            await self.project()
            await self.checkpoint.replay_stale()

        await self._repeat("projections", CHECKPOINT_SECONDS, once)()

    async def project(self) -> None:
        """Write the projections, and then tell how far they are; raises StoreError, PublishFailed."""
        reached = self.watermark.reached
        await self.checkpoint.advance()
        await self.watermark.publish(reached)

    def _repeat(
        self, name: str, pause: float, job: Callable[[], Awaitable[object]]
    ) -> Callable[[], Awaitable[None]]:
        watched = self.job_health.watched(name, job)
        return lambda: every(pause, watched, name=name)

    def _consumer(
        self,
        queue: Queue,
        handler: Handler,
        *,
        of_devices: bool = False,
        last: bool = False,
        size: int | None = None,
        **options: Any,
    ) -> BatchConsumer:
        """`of_devices`: in their virtual host. `last`: no queue follows, so the handler takes everything."""
        config, publishers = self._config, self._publishers
        size = size or (DEAD_BATCH_MESSAGES if last else config.batch_messages)
        return BatchConsumer(
            config.devices_amqp_url if of_devices else config.amqp_url.get_secret_value(),
            queue,
            handler,
            publishers.devices if of_devices else publishers.services,
            NAME,
            max_batch=size,
            max_wait=config.batch_wait_seconds,
            prefetch=BATCHES_IN_MEMORY * size,
            takes_undecodable=last,
            **options,
        )


def _traffic_limit(config: Settings, backlog: Backlog) -> TrafficLimit:
    return TrafficLimit(
        Rate(config.device_bytes_per_second, config.device_burst_bytes),
        Rate(config.telemetry_bytes_per_second, config.telemetry_mqtt_burst_bytes),
        backlog,
    )


async def run() -> None:
    """Run every job of the service until it is asked to stop."""
    config = settings()
    store = open_store(
        config.mongo_url.get_secret_value(),
        config.mongo_database,
        timeout_seconds=config.mongo_timeout_seconds,
    )
    redis = open_redis(config.redis_url.get_secret_value())
    publishers = Publishers.of(config)
    worker = Worker(config, store, publishers, StoredNotifier(redis))
    checks: dict[str, Check] = {name: consumer.check for name, consumer in worker.consumers.items()}
    checks |= {"store": store.check, "store writes": WriteCheck(store.write_probe)}
    checks |= {"jobs": worker.job_health.check, "volumes": worker.volumes.check}
    stops = [consumer.stop for consumer in worker.consumers.values()]
    try:
        await run_worker(NAME, config, worker.jobs(), checks=checks, stops=stops)
        await worker.project()
        await worker.watermark.leave()
    finally:
        await publishers.close()
        await redis.aclose()
        store.close()


if __name__ == "__main__":
    main(run)
