import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from pydantic import SecretStr
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine

from device_service import migrate
from device_service.base import Base
from device_service.settings import DeviceSettings

from .processes import command, environment


def differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return list(compare_metadata(context, Base.metadata))


@asynccontextmanager
async def database(settings: DeviceSettings, url: str) -> AsyncIterator[DeviceSettings]:
    """Settings for an empty database; at the end it must be what the models say."""
    yield settings.model_copy(update={"database_url": SecretStr(url)})
    engine = create_async_engine(url)
    try:
        async with engine.connect() as connection:
            assert await connection.run_sync(differences) == []
    finally:
        await engine.dispose()


async def test_replicas_that_migrate_an_empty_database_at_once_make_what_the_models_say(
    postgres_url: Callable[[str], str], settings: DeviceSettings
) -> None:
    async with database(settings, postgres_url("device_migrations")) as empty:
        processes = [await command("device_service.migrate", environment(empty)) for _ in range(2)]
        assert [await process.wait() for process in processes] == [0, 0]


async def test_migrating_twice_changes_nothing(
    postgres_url: Callable[[str], str], settings: DeviceSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with database(settings, postgres_url("device_twice")) as empty:
        monkeypatch.setattr(migrate, "settings", lambda: empty)
        for _ in range(2):
            await asyncio.to_thread(migrate.main)
