"""A committed NOTIFY ends the wait for the poll, also after the connection was lost."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from fleet_kit.database import create_sessions
from fleet_kit.notifications import Notifications, notify
from fleet_kit.testing import eventually

CHANNEL = "a_channel"
_LISTENERS = (
    "SELECT pid FROM pg_stat_activity WHERE application_name = :name AND datname = current_database()"
)


async def send(engine: AsyncEngine) -> None:
    async with create_sessions(engine).begin() as session:
        await notify(session, CHANNEL)


async def listeners(engine: AsyncEngine) -> set[int]:
    async with engine.connect() as connection:
        return set((await connection.execute(text(_LISTENERS), {"name": f"listen {CHANNEL}"})).scalars())


async def test_a_committed_notification_ends_the_wait(engine: AsyncEngine) -> None:
    async with Notifications(engine, CHANNEL).listening() as notifications:
        assert await notifications.wait(5), "once it listens it wakes, for what came before"
        assert not await notifications.wait(0.05)
        await send(engine)
        assert await notifications.wait(5)
        assert not await notifications.wait(0.05)


async def test_what_is_rolled_back_wakes_nobody(engine: AsyncEngine) -> None:
    async with Notifications(engine, CHANNEL).listening() as notifications:
        assert await notifications.wait(5)
        async with create_sessions(engine)() as session:
            await notify(session, CHANNEL)
            await session.rollback()
        assert not await notifications.wait(0.2)


async def test_a_lost_connection_comes_back_and_wakes_for_what_was_missed(engine: AsyncEngine) -> None:
    async with Notifications(engine, CHANNEL).listening() as notifications:
        assert await notifications.wait(5)
        lost = await listeners(engine)
        async with engine.connect() as connection:
            for pid in lost:
                await connection.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})

        async def back() -> bool:
            return bool(await listeners(engine) - lost)

        assert await notifications.wait(15), "it wakes when it is back"
        await eventually(back)
        await send(engine)
        assert await notifications.wait(5)


async def test_without_the_server_the_wait_ends_by_its_timeout() -> None:
    nowhere = create_async_engine("postgresql+asyncpg://nobody@127.0.0.1:1/nothing")
    async with Notifications(nowhere, CHANNEL).listening() as notifications:
        assert not await notifications.wait(0.1)
        notifications.wake()
        assert await notifications.wait(5)
