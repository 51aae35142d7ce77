import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from fleet_kit.database import create_engine
from fleet_kit.health import CHECK_SECONDS, Degraded, Unwell, run_checks
from fleet_kit.settings import DatabaseSettings
from fleet_kit.testing import ManualClock
from fleet_kit.write_checks import WRITE_SECONDS, WriteCheck, postgres_writes

Configure = Callable[[str], Awaitable[AsyncEngine]]


@pytest.fixture
async def configured(postgres_url: Callable[[str], str]) -> AsyncIterator[Configure]:
    """Makes a database with a setting of its own, and connects to it."""
    engines: list[AsyncEngine] = []

    async def make(setting: str) -> AsyncEngine:
        url = postgres_url("writes")
        for change in (f"ALTER DATABASE {url.rsplit('/', 1)[1]} SET {setting}", None):
            engine = create_engine(DatabaseSettings(database_url=url), name="test")
            engines.append(engine)
            if change:
                async with engine.begin() as connection:
                    await connection.execute(text(change))
        return engines[-1]

    yield make
    for engine in engines:
        await engine.dispose()


async def test_a_database_that_can_write_is_well_and_keeps_nothing(engine: AsyncEngine) -> None:
    await postgres_writes(engine)()
    async with engine.connect() as connection:
        tables = text("SELECT count(*) FROM pg_tables WHERE tablename LIKE '%filler%'")
        assert await connection.scalar(tables) == 0


async def test_a_database_without_room_is_degraded_though_it_answers(configured: Configure) -> None:
    engine = await configured("temp_file_limit = '1MB'")
    async with engine.connect() as connection:
        assert await connection.scalar(text("SELECT 1")) == 1
    status, texts = await run_checks({"postgres writes": postgres_writes(engine)})
    assert status == "degraded"
    assert "temporary file size exceeds" in texts["postgres writes"]


async def test_a_database_that_takes_no_changes_is_degraded(configured: Configure) -> None:
    engine = await configured("default_transaction_read_only = on")
    with pytest.raises(Degraded, match="read-only"):
        await postgres_writes(engine)()


async def test_it_writes_once_in_its_time_and_meanwhile_says_what_it_found() -> None:
    clock, writes, problem = ManualClock(), 0, Degraded("full")

    async def write() -> None:
        nonlocal writes
        writes += 1
        if writes == 1:
            raise problem

    check = WriteCheck(write, seconds=30, clock=clock)
    for _ in range(3):
        with pytest.raises(Unwell, match="full"):
            await check()
    assert writes == 1
    clock.now += 30
    for _ in range(3):
        await check()
    assert writes == 2


async def test_a_write_that_takes_too_long_is_degraded_and_not_tried_at_every_ask() -> None:
    clock, writes, ends = ManualClock(), 0, asyncio.Event()

    async def write() -> None:
        nonlocal writes
        writes += 1
        try:
            await ends.wait()
        except asyncio.CancelledError:
            await ends.wait()  # as what cleans up on a connection that is silent
            raise ValueError("of no interest any more") from None

    check = WriteCheck(write, seconds=30, longest=0.05, clock=clock)
    for _ in range(3):
        status, texts = await run_checks({"writes": check})
        assert (status, texts["writes"]) == ("degraded", "degraded: a write took longer than 0.05 s")
    assert writes == 1
    ends.set()
    clock.now += 30
    assert (await run_checks({"writes": check}))[0] == "ok"


async def test_postgres_that_is_slow_to_write_is_degraded_in_time(engine: AsyncEngine) -> None:
    assert WRITE_SECONDS < CHECK_SECONDS

    async def write() -> None:
        async with engine.begin() as connection:
            await connection.execute(text("SELECT pg_sleep(10)"))

    check = WriteCheck(write)
    for _ in range(2):
        assert (await run_checks({"writes": check}))[0] == "degraded"
    async with engine.connect() as connection:
        assert await connection.scalar(text("SELECT 1")) == 1
