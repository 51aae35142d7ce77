import asyncio
import time
from typing import Any
from uuid import uuid4

import pytest
from fastapi import FastAPI
from redis.exceptions import ConnectionError as RedisAway
from sqlalchemy import text

from device_service.cache import MOST_BYTES, SLOW_READ_SECONDS, ReadCache
from device_service.devices import read
from fleet_infra.testing import fill_redis
from fleet_kit.batched_reads import BatchedReads
from fleet_kit.redis_client import open_redis

from .conftest import Organization
from .support import path_of


@pytest.fixture
def cache(app: FastAPI) -> ReadCache:
    return ReadCache(app.state.redis, BatchedReads(app.state.redis), f"test:{uuid4()}:", 30, slots=1000)


async def test_filled_value_is_found_until_it_is_forgotten(cache: ReadCache) -> None:
    assert await cache.get("a") is None
    await cache.fill("a", b"1", read_at=time.monotonic())
    assert await cache.get("a") == b"1"
    await cache.invalidate("a", "b")
    assert await cache.get("a") is None


async def test_reader_that_comes_late_cannot_fill_in_the_old_value(cache: ReadCache) -> None:
    read_at = time.monotonic()
    await cache.invalidate("a")
    await cache.fill("a", b"old", read_at=read_at)
    assert await cache.get("a") is None
    await cache.fill("b", b"old", read_at=time.monotonic() - SLOW_READ_SECONDS - 1)
    assert await cache.get("b") is None


async def test_without_redis_the_cache_is_empty_and_quick(
    app: FastAPI, organization: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await organization.make_device()
    assert (await organization.viewer.get(path_of(made))).status_code == 200

    async def away(*_: object, **__: object) -> None:
        raise RedisAway("away")

    with monkeypatch.context() as patch:
        patch.setattr(app.state.redis, "mget", away)
        patch.setattr(app.state.redis, "set", away)
        for config in ({"n": 1}, {"n": 2}):
            await organization.operator.patch(path_of(made), json={"config": config})
            assert (await organization.viewer.get(path_of(made))).json()["config"] == config


async def test_no_number_of_keys_and_no_size_of_a_value_fills_redis(app: FastAPI) -> None:
    prefix = f"test:{uuid4()}:"
    cache = ReadCache(app.state.redis, BatchedReads(app.state.redis), prefix, 30, slots=10)
    for number in range(100):
        await cache.fill(str(number), str(number).encode(), read_at=time.monotonic())
    assert len(await app.state.redis.keys(f"{prefix}*")) == 10
    found = {str(number): await cache.get(str(number)) for number in range(100)}
    assert {value for key, value in found.items() if value != key.encode()} == {None}
    await cache.invalidate(*found)
    assert {await cache.get(key) for key in found} == {None}
    roomy = ReadCache(app.state.redis, BatchedReads(app.state.redis), f"{prefix}roomy:", 30, slots=10)
    await roomy.fill("large", b"x" * (MOST_BYTES + 1), read_at=time.monotonic())
    assert await roomy.get("large") is None


async def test_a_change_is_seen_though_redis_takes_no_more_writes(own_redis_url: str) -> None:
    redis = open_redis(own_redis_url)
    cache = ReadCache(redis, BatchedReads(redis), "test:", 30, slots=1000)
    await cache.fill("a", b"before", read_at=time.monotonic())
    fill_redis(own_redis_url)
    assert await cache.get("a") == b"before"
    await cache.invalidate("a")
    assert await cache.get("a") is None
    await redis.aclose()


async def test_second_read_does_not_ask_postgres(
    app: FastAPI, organization: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    app.state.caches.devices._guard.reset()
    made = await organization.make_device()
    first = await organization.viewer.get(path_of(made))

    def never(*_: object) -> None:
        raise AssertionError("asked Postgres")

    monkeypatch.setattr(read, "fetch", never)
    second = await organization.viewer.get(path_of(made))
    assert (second.status_code, second.content) == (200, first.content)
    assert second.headers["etag"] == first.headers["etag"] == '"1"'


async def test_slow_reader_between_read_and_fill_never_hides_a_change(
    organization: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reader has the old row in hand while the change is made, committed and announced."""
    made = await organization.make_device()
    fetched, go_on = asyncio.Event(), asyncio.Event()
    fetch = read.fetch

    async def slow(*arguments: Any) -> Any:
        found = await fetch(*arguments)
        fetched.set()
        await go_on.wait()
        return found

    monkeypatch.setattr(read, "fetch", slow)
    reading = asyncio.create_task(organization.viewer.get(path_of(made)))
    await fetched.wait()
    await organization.operator.patch(path_of(made), json={"type": "meter"})
    go_on.set()
    assert (await reading).json()["type"] == "sensor"
    monkeypatch.setattr(read, "fetch", fetch)
    assert (await organization.viewer.get(path_of(made))).json()["type"] == "meter"


async def test_every_kind_of_change_is_seen_by_the_next_read(organization: Organization) -> None:
    made = await organization.make_device()
    read_path = path_of(made)
    for method, below, body in (
        ("PATCH", "", {"tags": ["x"]}),
        ("PUT", "/config", {"a": 1}),
        ("PUT", "", {"name": made["name"], "type": "meter"}),
    ):
        before = (await organization.viewer.get(read_path)).json()
        changed = await organization.operator.request(method, path_of(made, below), json=body)
        assert changed.status_code == 200
        after = await organization.viewer.get(read_path)
        assert after.json()["version"] == before["version"] + 1
        assert after.headers["etag"] == changed.headers["etag"]


async def test_requests_leave_no_database_connection_behind(app: FastAPI, organization: Organization) -> None:
    made = await organization.make_device()
    paths = ["", "/status", "/config", "/events"]
    tasks = [
        asyncio.create_task(organization.viewer.get(path_of(made, paths[number % 4]))) for number in range(60)
    ]
    await asyncio.sleep(0.01)
    for task in tasks[::3]:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    async with app.state.sessions() as session:
        assert await session.scalar(text("SELECT 1")) == 1
    assert app.state.engine.pool.checkedout() == 0
