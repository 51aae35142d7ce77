"""The carrier's access token: one for everybody, also while Redis is away."""

import asyncio

import httpx
import orjson
import pytest
from redis.asyncio import Redis

from fleet_kit.redis_client import open_redis
from sim_service.carrier.errors import CarrierUnavailable
from sim_service.carrier.models import Priority
from sim_service.carrier.once.request import TimeBudget
from sim_service.carrier.rate_limiter import LocalReservationStore, RateLimiter

from ..carrier_support import ICCID, NEW_TOKEN, Script, carrier, html, ok, sim, token, token_source

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
    async with asyncio.timeout(60):
        assert await source.get() == NEW_TOKEN


async def test_a_renewal_that_fails_fails_once_for_all_who_wait_for_it(redis: Redis) -> None:
    script = Script(token_answer=lambda: html(503))
    source = token_source(script, redis)
    heard = await asyncio.gather(*(source.get() for _ in range(10)), return_exceptions=True)
    assert {type(error) for error in heard} == {CarrierUnavailable}
    assert script.token_requests == 1


HURRIED = {priority: TimeBudget(tries=3, try_seconds=0.2, total_seconds=0.3) for priority in Priority}


@pytest.mark.parametrize("priority", list(Priority))
async def test_without_a_token_in_time_nothing_is_asked_then_or_later(
    redis: Redis, priority: Priority
) -> None:
    script, go_on = Script([ok(sim())]), asyncio.Event()

    async def answer(request: httpx.Request) -> httpx.Response:
        if "oauth" in request.url.path:
            await go_on.wait()
        return await script(request)

    source = token_source(answer, redis)
    client = carrier(answer, redis, tokens=source, budgets=HURRIED)
    async with asyncio.timeout(60):
        heard = await asyncio.gather(
            *(client.get_sim(ICCID, priority=priority) for _ in range(10)), return_exceptions=True
        )
    assert {type(error) for error in heard} == {CarrierUnavailable}
    go_on.set()
    assert await source.get() == NEW_TOKEN
    assert (script.token_requests, script.requests) == (1, [])


async def test_a_turn_that_comes_after_the_deadline_is_not_used(redis: Redis) -> None:
    class Late(RateLimiter):
        async def acquire(self, priority: Priority, *, max_wait: float) -> None:
            await asyncio.sleep(2 * max_wait)

    script = Script([ok(sim())])
    client = carrier(script, redis, limiter=Late(LocalReservationStore(1)), budgets=HURRIED)
    with pytest.raises(CarrierUnavailable):
        await client.get_sim(ICCID, priority=Priority.BACKGROUND)
    assert script.requests == []
