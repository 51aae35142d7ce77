"""Migrations: alembic run from code, so that a service needs no configuration file."""

import asyncio
from pathlib import Path

from alembic import command, context
from alembic.config import Config
from sqlalchemy import Connection, MetaData, text
from sqlalchemy.ext.asyncio import create_async_engine

_LOCK = 0x0F1EE7_01


def config_for(migrations: Path, database_url: str) -> Config:
    """Alembic's configuration for a service's migrations folder."""
    config = Config()
    config.set_main_option("script_location", str(migrations))
    config.attributes["database_url"] = database_url
    return config


def upgrade(migrations: Path, database_url: str) -> None:
    """Bring the database to the newest migration; safe when several replicas start at once."""
    command.upgrade(config_for(migrations, database_url), "head")


def run_env(metadata: MetaData) -> None:
    """What every service's migrations/env.py does."""
    url = context.config.attributes["database_url"]
    asyncio.run(_run(url, metadata))


async def _run(url: str, metadata: MetaData) -> None:
    engine = create_async_engine(url)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(_migrate, metadata)
    finally:
        await engine.dispose()


def _migrate(connection: Connection, metadata: MetaData) -> None:
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    context.configure(connection=connection, target_metadata=metadata, compare_type=True)
    context.run_migrations()
