"""The service on real servers, with a real sandbox of the carrier behind it."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

import pytest
import uvicorn
from asgi_lifespan import LifespanManager
from fastapi import FastAPI
from pydantic import SecretStr
from redis.asyncio import Redis
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from fleet_kit import migrate
from fleet_kit.database import Sessions, create_sessions
from fleet_kit.redis_client import open_redis
from fleet_kit.testing import TokenFactory, eventually
from once_sandbox.settings import Settings as SandboxSettings
from sim_service.main import build
from sim_service.migrate import MIGRATIONS
from sim_service.settings import Settings
from sim_service.tables import metadata
from sim_service.wiring import open_spreadsheets

from .support import Fleet, SandboxUnderTest, client_of


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def amqp_url(make_amqp_url: Callable[[], str]) -> str:
    """A vhost that no other package's processes read from."""
    return make_amqp_url()


@pytest.fixture(scope="session")
def redis_url(make_redis_url: Callable[[], str]) -> str:
    """A Redis database that no other package empties."""
    return make_redis_url()


@pytest.fixture(scope="session")
async def sandbox_server() -> AsyncIterator[SandboxUnderTest]:
    port = free_port()
    settings = SandboxSettings(
        SANDBOX_SIMS=250, SANDBOX_CLIENT_ID="tester", SANDBOX_CLIENT_SECRET=SecretStr("s3cret-of-tests")
    )
    control = SandboxUnderTest(settings, f"http://127.0.0.1:{port}")
    running = uvicorn.Server(
        uvicorn.Config(control, host="127.0.0.1", port=port, log_config=None, access_log=False, ws="none")
    )
    task = asyncio.create_task(running._serve())
    await eventually(lambda: _started(running))
    yield control
    running.should_exit = True
    with suppress(asyncio.CancelledError):
        await task


async def _started(running: uvicorn.Server) -> bool:
    return running.started


@pytest.fixture
def sandbox(sandbox_server: SandboxUnderTest) -> SandboxUnderTest:
    """The sandbox with a fresh world and without its rate limit."""
    sandbox_server.reset()
    return sandbox_server


@pytest.fixture(scope="session")
async def settings(
    postgres_url: Callable[[str], str], redis_url: str, amqp_url: str, sandbox_server: SandboxUnderTest
) -> Settings:
    database = postgres_url("sim")
    await asyncio.to_thread(migrate.upgrade, MIGRATIONS, database)
    return Settings(
        environment="development",
        database_url=SecretStr(database),
        redis_url=SecretStr(redis_url),
        amqp_url=SecretStr(amqp_url),
        publish_timeout_seconds=2,
        log_level="WARNING",
        carrier_url=sandbox_server.url,
        carrier_client_id="tester",
        carrier_client_secret=SecretStr("s3cret-of-tests"),
        carrier_requests_per_second=1000,
        carrier_others_per_five_minutes=300_000,
        carrier_breaker_seconds=0.3,
        job_lease_seconds=3,
        sim_sync_every_seconds=0,
        sync_min_seconds=0,
        cache_sim_list_seconds=0,
        cache_sim_seconds=0,
        cache_usage_seconds=0,
        cache_quota_seconds=0,
        push_username="carrier",
        push_password=SecretStr("s3cret-of-pushes"),
        event_sync_every_seconds=0,
        usage_sync_every_seconds=0,
        quota_forecast_every_seconds=0,
        policy_every_seconds=0,
        order_sync_every_seconds=0,
        product_sync_every_seconds=0,
    )


@pytest.fixture(scope="session")
async def engine(settings: Settings) -> AsyncIterator[AsyncEngine]:
    engine = create_async_engine(settings.database_url.get_secret_value())
    yield engine
    await engine.dispose()


@pytest.fixture
async def sessions(engine: AsyncEngine) -> Sessions:
    """Sessions on an empty database."""
    async with engine.begin() as connection:
        await _empty(connection)
    return create_sessions(engine)


async def _empty(connection: AsyncConnection) -> None:
    """Delete every row; TRUNCATE makes new files for every table and index, which costs much more."""
    await connection.execute(text(f"LOCK TABLE {', '.join(metadata.tables)} IN EXCLUSIVE MODE"))
    sized = text(
        "SELECT relname FROM pg_class WHERE relname = ANY(:names) AND pg_relation_size(oid) > 500000"
    )
    large = (await connection.execute(sized, {"names": list(metadata.tables)})).scalars().all()
    if large:
        await connection.execute(text(f"TRUNCATE {', '.join(large)} CASCADE"))
    names = "', '".join(table.name for table in reversed(metadata.sorted_tables))
    loop = (
        f"FOREACH name IN ARRAY ARRAY['{names}'] LOOP EXECUTE 'DELETE FROM ' || quote_ident(name); END LOOP"
    )
    await connection.execute(text(f"DO $$ DECLARE name text; BEGIN {loop}; END $$"))


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    """An empty Redis."""
    client = open_redis(redis_url)
    await client.flushdb()
    yield client
    await client.aclose()


@pytest.fixture(scope="session")
def tokens() -> TokenFactory:
    return TokenFactory()


@pytest.fixture(scope="session")
async def running_app(settings: Settings, tokens: TokenFactory) -> AsyncIterator[FastAPI]:
    app = build(settings)
    async with LifespanManager(app, startup_timeout=20, shutdown_timeout=20):
        app.state.verifier = tokens.verifier()
        yield app


@pytest.fixture
async def fleet(
    running_app: FastAPI,
    settings: Settings,
    tokens: TokenFactory,
    sandbox: SandboxUnderTest,
    sessions: Sessions,
    redis: Redis,
) -> AsyncIterator[Fleet]:
    """The API with an empty database, a fresh sandbox and a worker that runs when a test says so.

    Both of its organisations are granted everything.
    """
    running_app.state.settings = settings
    carrier = running_app.state.resources.carrier
    running_app.state.carrier = carrier
    running_app.state.spreadsheets = open_spreadsheets(settings)
    fleet = Fleet(running_app, settings, tokens, sandbox, sessions)
    await fleet.calm_breaker()
    for organization in (fleet.ours, fleet.theirs):
        await fleet.grant(organization)
    yield fleet
    await fleet.close()


@pytest.fixture
async def app_url(fleet: Fleet) -> AsyncIterator[str]:
    """The API on a real port, for those who call it from outside."""
    port = free_port()
    config = uvicorn.Config(
        fleet.app, host="127.0.0.1", port=port, log_config=None, lifespan="off", ws="none", loop="none"
    )
    running = uvicorn.Server(config)
    task = asyncio.create_task(running._serve())
    yield f"http://127.0.0.1:{port}/api/v1"
    running.should_exit = True
    await task


__all__ = ["client_of"]
