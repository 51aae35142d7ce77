"""The worker: outbox relay, the denylist's copy in Redis, purging."""

from functools import partial

from sqlalchemy import text

from fleet_kit import idempotency
from fleet_kit.database import Sessions, create_engine, create_sessions
from fleet_kit.messaging import Publisher
from fleet_kit.redis_client import open_redis
from fleet_kit.relay import OutboxRelay
from fleet_kit.worker import every, main, run_worker
from fleet_kit.write_checks import postgres_writes
from signing_service.auth.service import purge_refresh_tokens
from signing_service.denylist.service import DenylistReplicator
from signing_service.settings import SigningSettings, settings

NAME = "signing-worker"
COPY_EVERY_SECONDS = 1
PURGE_EVERY_SECONDS = 3600


async def run(config: SigningSettings) -> None:
    """Run every job of the service until it is asked to stop."""
    engine = create_engine(config, name=NAME)
    sessions = create_sessions(engine)
    redis = open_redis(config.redis_url.get_secret_value())
    publisher = Publisher(
        config.amqp_url.get_secret_value(), NAME, timeout_seconds=config.publish_timeout_seconds
    )
    relay = OutboxRelay(engine, publisher)
    copy = DenylistReplicator(sessions, redis)

    async def purge() -> None:
        await relay.purge()
        await idempotency.delete_expired(sessions)
        await copy.purge()
        async with sessions() as session, session.begin():
            await purge_refresh_tokens(session)

    try:
        await run_worker(
            NAME,
            config,
            {
                "relay": relay.run,
                "denylist": lambda: every(COPY_EVERY_SECONDS, copy.refresh, name="denylist"),
                "purge": lambda: every(PURGE_EVERY_SECONDS, purge, name="purge"),
            },
            checks={
                "postgres": partial(_ask, sessions),
                "postgres writes": postgres_writes(engine),
                "broker": publisher.check,
            },
        )
    finally:
        await publisher.close()
        await redis.aclose()
        await engine.dispose()


async def _ask(sessions: Sessions) -> None:
    async with sessions() as session:
        await session.execute(text("SELECT 1"))


if __name__ == "__main__":
    main(lambda: run(settings()))
