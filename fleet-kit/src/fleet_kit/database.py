"""Postgres: engine, sessions of one request, column types, ids."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy import DateTime, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from fleet_kit.settings import DatabaseSettings

NAMING = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
"""Names of constraints, fixed so that migrations can name them too."""

UtcDateTime = DateTime(timezone=True)
"""Column type of every moment: timestamptz."""

Sessions = async_sessionmaker[AsyncSession]


def create_engine(settings: DatabaseSettings, *, name: str) -> AsyncEngine:
    """An engine whose connections carry `name` in pg_stat_activity and give up instead of hanging."""
    return create_async_engine(
        settings.database_url.get_secret_value(),
        pool_size=settings.database_pool_size,
        max_overflow=0,
        pool_timeout=settings.database_pool_timeout_seconds,
        pool_pre_ping=True,
        connect_args={
            "timeout": 5,
            # Postgres first, which then tells so; the driver's own only where nothing comes back any more.
            "command_timeout": settings.database_statement_seconds + 2,
            "server_settings": {
                "application_name": name,
                "idle_in_transaction_session_timeout": "60000",
                "statement_timeout": str(int(settings.database_statement_seconds * 1000)),
            },
        },
    )


def create_sessions(engine: AsyncEngine) -> Sessions:
    """Sessions whose entities stay readable after the commit."""
    return async_sessionmaker(engine, expire_on_commit=False)


async def request_session(request: Request) -> AsyncIterator[AsyncSession]:
    """The request's transaction: committed when the endpoint returns, before its response is sent."""
    sessions: Sessions = request.app.state.sessions
    async with sessions() as session, session.begin():
        yield session


DbSession = Annotated[AsyncSession, Depends(request_session, scope="function")]


async def plan_by_value(session: AsyncSession) -> None:
    """Have Postgres plan the rest of the transaction's statements for their values.

    After five times it keeps one plan for any value; a search for any value may as well read everything.
    """
    await session.execute(text("SET LOCAL plan_cache_mode = force_custom_plan"))
