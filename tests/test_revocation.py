"""After a logout every service refuses the token, also with Redis stopped; `make bench` says how soon."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from fleet_kit.testing import eventually

pytestmark = pytest.mark.fleet
Join = Callable[[], Awaitable[Any]]
DOORS = ("/auth/me", "/devices/", "/sims", "/monitoring/stats")


async def statuses(person: Any) -> list[int]:
    answers = await asyncio.gather(*(person.call("GET", door) for door in DOORS))
    return [answer.status_code for answer in answers]


async def refused_everywhere(person: Any) -> None:
    assert await statuses(person) == [200] * len(DOORS)
    assert (await person.call("POST", "/auth/logout")).status_code == 204

    async def refused() -> bool:
        return await statuses(person) == [401] * len(DOORS)

    await eventually(refused)
    assert await statuses(person) == [401] * len(DOORS)


@pytest.fixture
async def redis_stopped(control: Any) -> AsyncIterator[None]:
    control.stop("servers", "redis")
    yield
    control.start("servers")


async def test_with_redis(join: Join) -> None:
    await refused_everywhere(await join())


async def test_without_redis(join: Join, redis_stopped: None) -> None:
    await refused_everywhere(await join())


async def test_what_was_revoked_without_redis_stays_refused_when_redis_comes_back(
    join: Join, control: Any
) -> None:
    person = await join()
    control.stop("servers", "redis")
    assert (await person.call("POST", "/auth/logout")).status_code == 204
    control.start("servers")
    for _ in range(40):
        assert await statuses(person) == [401] * len(DOORS)
        await asyncio.sleep(0.05)


async def test_a_live_client_is_disconnected_within_a_second(
    join: Join, listen: Callable[..., Awaitable[Any]]
) -> None:
    person = await join()
    live = await listen(person.tokens["access_token"])
    assert (await live.subscribe())["ok"]
    await person.call("POST", "/auth/logout")
    async with asyncio.timeout(1.5):
        await live.gone.wait()
