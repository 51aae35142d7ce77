import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from pydantic import SecretStr
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine

from device_service import migrate
from device_service.base import Base
from device_service.broker_sessions.models import UNKNOWN
from device_service.settings import DeviceSettings
from fleet_kit.migrate import config_for

from . import processes

_OWNER = "11111111-1111-4111-8111-111111111111"
_NOTED_BEFORE = f"""
WITH device AS (
    INSERT INTO t_devices (id, organization_id, name, type, created_at, updated_at)
    VALUES (gen_random_uuid(), '{_OWNER}', 'a', 'sensor', now(), now()) RETURNING id
)
INSERT INTO t_session_ends (device_id, since, due_at)
SELECT id, now(), now() FROM device
UNION ALL SELECT gen_random_uuid(), now(), now() + interval '12 seconds'
"""


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
        replicas = [
            await processes.command("device_service.migrate", processes.environment(empty)) for _ in range(2)
        ]
        assert [await replica.wait() for replica in replicas] == [0, 0]


async def test_migrating_twice_changes_nothing(
    postgres_url: Callable[[str], str], settings: DeviceSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with database(settings, postgres_url("device_twice")) as empty:
        monkeypatch.setattr(migrate, "settings", lambda: empty)
        for _ in range(2):
            await asyncio.to_thread(migrate.main)


async def test_an_upgrade_keeps_the_sessions_that_were_to_be_closed_and_learns_whose_they_are(
    postgres_url: Callable[[str], str], settings: DeviceSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgres_url("device_upgrade")
    config = config_for(migrate.MIGRATIONS, url)
    await asyncio.to_thread(command.upgrade, config, "0003")
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.execute(text(_NOTED_BEFORE))
    async with database(settings, url) as old:
        monkeypatch.setattr(migrate, "settings", lambda: old)
        await asyncio.to_thread(migrate.main)
    async with engine.connect() as connection:
        rows = await connection.execute(
            text("SELECT organization_id::text, closed_once FROM t_session_ends ORDER BY closed_once")
        )
        assert [tuple(row) for row in rows] == [(_OWNER, False), (str(UNKNOWN), True)]
    await engine.dispose()
