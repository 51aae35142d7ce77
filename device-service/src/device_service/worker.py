"""The worker: outbox relay, consumer of sightings, sweeper, closer of sessions."""

from sqlalchemy import text

from device_service.consumers import EventsConsumer
from device_service.main import caches
from device_service.presence.service import PresenceService
from device_service.sessions.service import SessionCloser, broker_management
from device_service.settings import settings
from device_service.sim_links.service import SimLinkService
from fleet_contracts.topology import DEVICE_EVENTS
from fleet_kit.batched_reads import BatchedReads
from fleet_kit.consumer import BatchConsumer
from fleet_kit.database import create_engine, create_sessions
from fleet_kit.denylist import open_redis
from fleet_kit.messaging import Publisher
from fleet_kit.relay import OutboxRelay
from fleet_kit.worker import every, main, run_worker

NAME = "device-worker"
PURGE_EVERY_SECONDS = 3600
CLOSE_SESSIONS_SECONDS = 0.5


async def run() -> None:
    """Run every job of the service until it is asked to stop."""
    config = settings()
    url = config.amqp_url.get_secret_value()
    engine = create_engine(config, name=NAME)
    redis = open_redis(config.redis_url.get_secret_value())
    publisher = Publisher(url, NAME, timeout_seconds=config.publish_timeout_seconds)
    sessions, copies = create_sessions(engine), caches(redis, BatchedReads(redis))
    presence = PresenceService(sessions, copies, offline_after_seconds=config.device_offline_after_seconds)
    handler = EventsConsumer(presence, SimLinkService(sessions, copies))
    consumer = BatchConsumer(url, DEVICE_EVENTS, handler, publisher, NAME)
    relay = OutboxRelay(engine, publisher)
    management = broker_management(config)
    closer = SessionCloser(sessions, management)

    async def sweep() -> None:
        # While sightings do not arrive, silence says nothing about the devices.
        await consumer.check()
        await presence.sweep()

    async def postgres() -> None:
        async with engine.connect() as connection:
            await connection.execute(text("SELECT 1"))

    try:
        await run_worker(
            NAME,
            config,
            {
                "relay": relay.run,
                "consume": consumer.run,
                "sweep": lambda: every(config.device_sweep_every_seconds, sweep, name="sweep"),
                "close sessions": lambda: every(CLOSE_SESSIONS_SECONDS, closer.round, name="close sessions"),
                "purge": lambda: every(PURGE_EVERY_SECONDS, relay.purge, name="purge"),
            },
            checks={
                "postgres": postgres,
                "consumer": consumer.check,
                "broker": publisher.check,
                "redis": redis.ping,
            },
            stops=[consumer.stop],
        )
    finally:
        await management.aclose()
        await publisher.close()
        await redis.aclose()
        await engine.dispose()


if __name__ == "__main__":
    main(run)
