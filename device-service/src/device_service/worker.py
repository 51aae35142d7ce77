"""The worker: outbox relay, consumer of sightings, sweeper, closer and census of sessions."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial

import httpx
from redis.asyncio import Redis
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from device_service.broker.alarms import broker_alarms
from device_service.broker.session_census import SessionCensus
from device_service.broker.telemetry_throttle import TelemetryThrottle
from device_service.broker_sessions.management import DeviceSessions, broker_management
from device_service.broker_sessions.service import SessionCloser
from device_service.consumers import EventsConsumer
from device_service.credentials.service import Authenticator
from device_service.device_events.service import EventRetention
from device_service.main import caches
from device_service.presence.service import PresenceService
from device_service.settings import DeviceSettings, settings
from device_service.sim_links.service import SimLinkService
from device_service.throttling.service import ThrottlingService
from fleet_contracts.topology import DEVICE_EVENTS
from fleet_kit import idempotency
from fleet_kit.batched_reads import BatchedReads
from fleet_kit.consumer import BatchConsumer
from fleet_kit.database import create_engine, create_sessions
from fleet_kit.event_handlers import on_event_batch
from fleet_kit.health import Check
from fleet_kit.messaging import Publisher
from fleet_kit.redis_client import open_redis
from fleet_kit.relay import OutboxRelay
from fleet_kit.worker import Job, every, main, run_worker
from fleet_kit.write_checks import postgres_writes

NAME = "device-worker"
PURGE_EVERY_SECONDS = 3600
CLOSE_SESSIONS_SECONDS = 0.5
ORGANIZATIONS_CLOSED_AT_ONCE = 4
COUNT_SESSIONS_SECONDS = 5
KEEP_AWAY_SECONDS = 0.1


async def run() -> None:
    """Run every job of the service until it is asked to stop."""
    config = settings()
    engine = create_engine(config, name=NAME)
    redis = open_redis(config.redis_url.get_secret_value())
    publisher = Publisher(
        config.amqp_url.get_secret_value(), NAME, timeout_seconds=config.publish_timeout_seconds
    )
    management = broker_management(config)
    worker = Worker(config, engine, redis, publisher, management)
    try:
        await run_worker(NAME, config, worker.jobs(), checks=worker.checks(), stops=[worker.consumer.stop])
    finally:
        await management.aclose()
        await publisher.close()
        await redis.aclose()
        await engine.dispose()


class Worker:
    """Everything that one worker process runs."""

    def __init__(
        self,
        config: DeviceSettings,
        engine: AsyncEngine,
        redis: Redis,
        publisher: Publisher,
        management: httpx.AsyncClient,
    ) -> None:
        self._config, self._engine, self._redis, self._publisher = config, engine, redis, publisher
        self._sessions = sessions = create_sessions(engine)
        cached = caches(redis, BatchedReads(redis))
        self._presence = PresenceService(
            sessions, cached, offline_after_seconds=config.device_offline_after_seconds
        )
        self._throttling = ThrottlingService(
            sessions, TelemetryThrottle(redis), most_events=config.device_events_per_organization
        )
        consumer = EventsConsumer(self._presence, SimLinkService(sessions, cached), self._throttling)
        events = on_event_batch(consumer.handle)
        url = config.amqp_url.get_secret_value()
        self.consumer = BatchConsumer(url, DEVICE_EVENTS, events, publisher, NAME)
        self._broker_alarms, self._postgres_writes = broker_alarms(management), postgres_writes(engine)
        self._relay = OutboxRelay(engine, publisher)
        self._event_retention = EventRetention(sessions, timedelta(days=config.device_events_kept_days))
        authenticator = Authenticator(sessions, cached.credentials)
        vhost = config.devices_vhost
        self._closer = SessionCloser(
            sessions, DeviceSessions(management, vhost=vhost), authenticator.with_key
        )
        self._census = SessionCensus(
            authenticator, management, redis, vhost=vhost, max_sessions=config.mqtt_max_connections
        )

    def jobs(self) -> dict[str, Job]:
        """Every job by name."""
        rounds: dict[str, tuple[float, Callable[[], Awaitable[object]]]] = {
            "sweep": (self._config.device_sweep_every_seconds, self._presence.sweep),
            "keep devices away": (KEEP_AWAY_SECONDS, self._throttling.keep_away),
            "count sessions": (COUNT_SESSIONS_SECONDS, self._census.count),
            "delete old events": (PURGE_EVERY_SECONDS, self._event_retention.sweep),
            "purge events": (PURGE_EVERY_SECONDS, self._relay.purge),
            "purge requests": (
                PURGE_EVERY_SECONDS,
                partial(idempotency.delete_expired, self._sessions),
            ),
        }
        for number in range(1, ORGANIZATIONS_CLOSED_AT_ONCE + 1):
            rounds[f"close sessions {number}"] = (CLOSE_SESSIONS_SECONDS, self._closer.close_due)
        jobs: dict[str, Job] = {"relay": self._relay.run, "consume": self.consumer.run}
        for name, (pause, job) in rounds.items():
            jobs[name] = partial(every, pause, job, name=name)
        return jobs

    def checks(self) -> dict[str, Check]:
        """What /health asks."""
        return {
            "postgres": self._postgres,
            "consumer": self.consumer.check,
            "broker": self._publisher.check,
            "broker alarms": self._broker_alarms,
            "postgres writes": self._postgres_writes,
            "redis": self._redis.ping,
            "presence": self._presence.check,
        }

    async def _postgres(self) -> None:
        async with self._engine.connect() as connection:
            await connection.execute(text("SELECT 1"))


if __name__ == "__main__":
    main(run)
