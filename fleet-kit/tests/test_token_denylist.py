import time
from collections.abc import Callable

import httpx
import pytest
from redis.asyncio import Redis

from fleet_kit.errors import Unavailable
from fleet_kit.redis_client import open_redis
from fleet_kit.token_denylist import READY_KEY, DenylistClient, entry_key

AWAY = "redis://127.0.0.1:9/0"
Answer = Callable[[httpx.Request], httpx.Response]


def http(answer: Answer) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.MockTransport(answer))


def says(revoked: bool) -> Answer:
    return lambda _: httpx.Response(200, json={"revoked": revoked})


def fails(_: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("away")


@pytest.fixture
async def redis(redis_url: str) -> Redis:
    client = open_redis(redis_url)
    await client.flushdb()
    return client


async def test_redis_answers_alone_while_it_is_known_to_be_complete(redis: Redis) -> None:
    denylist = DenylistClient(redis, http(fails), "http://signing")
    await redis.set(READY_KEY, "1")
    assert not await denylist.is_revoked("j", "s")
    await redis.set(entry_key("s"), "1")
    assert await denylist.is_revoked("j", "s")


async def test_an_emptied_redis_is_not_believed(redis: Redis) -> None:
    assert await DenylistClient(redis, http(says(True)), "http://signing").is_revoked("j", "s")
    assert not await DenylistClient(redis, http(says(False)), "http://signing").is_revoked("j", "s")


async def test_with_redis_away_signing_service_answers() -> None:
    redis = open_redis(AWAY)
    assert await DenylistClient(redis, http(says(True)), "http://signing").is_revoked("j", "s")
    assert not await DenylistClient(redis, http(says(False)), "http://signing").is_revoked("j", "s")


@pytest.mark.parametrize(
    "broken", [fails, lambda _: httpx.Response(500), lambda _: httpx.Response(200, text="<html>")]
)
async def test_with_both_away_the_answer_is_503_and_never_allowed(broken: Answer) -> None:
    with pytest.raises(Unavailable):
        await DenylistClient(open_redis(AWAY), http(broken), "http://signing").is_revoked("j", "s")


async def test_what_an_event_revoked_is_refused_with_everything_away_until_it_expires() -> None:
    denylist = DenylistClient(open_redis(AWAY), http(fails), "http://signing")
    denylist.remember("old", time.time() - 1)
    denylist._purge_at = 0
    denylist.remember("j", time.time() + 60)
    assert await denylist.is_revoked("j", "s")
    assert "old" not in denylist._local
