from collections.abc import AsyncIterator, Callable

import pytest
from sqlalchemy import MetaData
from sqlalchemy.ext.asyncio import AsyncEngine

from fleet_kit.database import create_engine
from fleet_kit.idempotency import idempotency_table
from fleet_kit.limits import limits_table
from fleet_kit.messaging import Publisher
from fleet_kit.outbox import outbox_table
from fleet_kit.settings import DatabaseSettings

from .support import purge


@pytest.fixture(scope="session")
def amqp_url(make_amqp_url: Callable[[], str]) -> str:
    """A vhost that no other package's processes read from."""
    return make_amqp_url()


@pytest.fixture
async def publisher(amqp_url: str) -> AsyncIterator[Publisher]:
    """Publishes into empty queues."""
    publisher = Publisher(amqp_url, "test")
    await purge(amqp_url)
    yield publisher
    await publisher.close()


@pytest.fixture(scope="session")
def redis_url(make_redis_url: Callable[[], str]) -> str:
    """A Redis database that no other package empties."""
    return make_redis_url()


@pytest.fixture
async def engine(postgres_url: Callable[[str], str]) -> AsyncIterator[AsyncEngine]:
    """A fresh database with the kit's own tables."""
    engine = create_engine(DatabaseSettings(database_url=postgres_url("kit")), name="test")
    metadata = MetaData()
    outbox_table(metadata)
    idempotency_table(metadata)
    limits_table(metadata)
    async with engine.begin() as connection:
        await connection.run_sync(metadata.drop_all)
        await connection.run_sync(metadata.create_all)
    yield engine
    await engine.dispose()
