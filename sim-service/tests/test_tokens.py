"""The carrier's access token: one for everybody, also while Redis is away."""

import asyncio

import orjson
import pytest
from redis.asyncio import Redis

from fleet_kit.denylist import open_redis
from sim_service.carrier.errors import CarrierUnavailable

from .carrier_support import NEW_TOKEN, Script, html, token, token_source

KEY = "carrier:once:token:me"


async def test_a_restarted_process_uses_the_token_that_others_got(redis: Redis) -> None:
    script = Script()
    assert await token_source(script, redis).get() == NEW_TOKEN
    assert await token_source(script, redis).get() == NEW_TOKEN
    assert script.token_requests == 1


async def test_a_token_is_renewed_before_it_ends(redis: Redis) -> None:
    lifetimes = iter([30.0, 3600.0])
    script = Script(token_answer=lambda: token(NEW_TOKEN, seconds=next(lifetimes)))
    source = token_source(script, redis, margin=60)
    await source.get()
    await source.get()
    assert script.token_requests == 1, "of a short life only the last tenth counts as its end"
    script = Script(token_answer=lambda: token(NEW_TOKEN, seconds=0.3))
    await redis.flushdb()
    source = token_source(script, redis)
    await source.get()
    await asyncio.sleep(0.35)
    await source.get()
    assert script.token_requests == 2


async def test_what_redis_holds_is_not_trusted_blindly(redis: Redis) -> None:
    for raw in (
        b"{",
        b"[]",
        b'{"value": "x"}',
        orjson.dumps({"value": "old", "expires_at": 1, "lifetime": 1}),
    ):
        await redis.set(KEY, raw)
        assert await token_source(Script(), redis).get() == NEW_TOKEN
        await redis.delete(KEY)


async def test_a_holder_that_died_does_not_block_the_others(redis: Redis) -> None:
    await redis.set("carrier:once:token-lock:me", "dead", px=300)
    script = Script()
    assert await token_source(script, redis).get() == NEW_TOKEN
    await redis.delete(KEY)
    await redis.set("carrier:once:token-lock:me", "dead", px=60_000)
    assert await token_source(script, redis, lock_seconds=0.4).get() == NEW_TOKEN


async def test_without_redis_a_process_asks_once_for_all_its_callers() -> None:
    away = open_redis("redis://127.0.0.1:1/0", timeout_seconds=0.1)
    script = Script()
    source = token_source(script, away)
    assert set(await asyncio.gather(*(source.get() for _ in range(20)))) == {NEW_TOKEN}
    assert script.token_requests == 1
    await away.aclose()


async def test_a_failed_renewal_frees_the_lock(redis: Redis) -> None:
    answers = iter([html(503), token(NEW_TOKEN)])
    script = Script(token_answer=lambda: next(answers))
    source = token_source(script, redis)
    with pytest.raises(CarrierUnavailable):
        await source.get()
    async with asyncio.timeout(1):
        assert await source.get() == NEW_TOKEN
