"""Migrations make an empty database what the models say."""

import asyncio
from collections.abc import Callable

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from fleet_kit import migrate
from sim_service.migrate import MIGRATIONS
from sim_service.tables import metadata


def differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return list(compare_metadata(context, metadata))


async def test_migrating_an_empty_database_gives_exactly_the_models(
    postgres_url: Callable[[str], str],
) -> None:
    url = postgres_url("sim_migrations")
    await asyncio.to_thread(migrate.upgrade, MIGRATIONS, url)

    def compare() -> list[object]:
        from sqlalchemy.ext.asyncio import create_async_engine

        async def ask() -> list[object]:
            engine = create_async_engine(url)
            async with engine.connect() as connection:
                found = await connection.run_sync(differences)
            await engine.dispose()
            return found

        return asyncio.run(ask())

    assert await asyncio.to_thread(compare) == []


async def test_migrating_twice_changes_nothing(postgres_url: Callable[[str], str]) -> None:
    url = postgres_url("sim_migrations")
    await asyncio.to_thread(migrate.upgrade, MIGRATIONS, url)
    await asyncio.to_thread(migrate.upgrade, MIGRATIONS, url)
