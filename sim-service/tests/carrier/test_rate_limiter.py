"""One rate limit for all: spacing, priority, and Redis away."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from fleet_kit.redis_client import open_redis
from fleet_kit.testing import eventually
from sim_service.carrier.errors import CarrierRateLimited
from sim_service.carrier.models import Priority
from sim_service.carrier.rate_limiter import LocalReservationStore, RateLimiter, RedisReservationStore

PEOPLE, BACKGROUND = Priority.INTERACTIVE, Priority.BACKGROUND


@pytest.fixture
async def no_redis() -> AsyncIterator[Redis]:
    client = open_redis("redis://127.0.0.1:1/0", timeout_seconds=0.1)
    yield client
    await client.aclose()


async def redis_ms(redis: Redis) -> float:
    seconds, microseconds = await redis.time()
    return float(seconds * 1000 + microseconds / 1000)


async def test_replicas_together_keep_the_rate(redis: Redis) -> None:
    stores = [RedisReservationStore(redis, "slots", 1, local_share=0.25) for _ in range(3)]
    before = await redis_ms(redis)
    answers = await asyncio.gather(*(store.reserve(60) for store in stores * 10))
    after = await redis_ms(redis)
    assert all(answer.granted for answer in answers)
    next_free = await redis.get("slots")
    assert next_free is not None
    assert before - 1 <= float(next_free) - 30 * 1030 <= after


async def test_a_granted_slot_is_waited_for(redis: Redis) -> None:
    limiter = RateLimiter(RedisReservationStore(redis, "slots", 20, local_share=0.25))
    started = time.monotonic()
    await asyncio.gather(*(limiter.acquire(priority, max_wait=60) for priority in (PEOPLE, BACKGROUND) * 15))
    assert time.monotonic() - started >= 29 * 0.05


async def test_people_go_before_a_background_job(redis: Redis) -> None:
    limiter = RateLimiter(RedisReservationStore(redis, "slots", 20, local_share=0.25))
    granted: list[Priority] = []

    async def take(priority: Priority) -> None:
        await limiter.acquire(priority, max_wait=60)
        granted.append(priority)

    jobs = [asyncio.create_task(take(BACKGROUND)) for _ in range(20)]

    async def started() -> bool:
        return len(granted) >= 3

    await eventually(started)
    before = len(granted)
    await asyncio.gather(*(take(PEOPLE) for _ in range(5)))
    assert granted[before:].count(BACKGROUND) <= 3
    await asyncio.gather(*jobs)


async def test_a_background_job_is_not_starved(redis: Redis) -> None:
    limiter = RateLimiter(RedisReservationStore(redis, "slots", 50, local_share=0.25), patience=0.3)
    stop = asyncio.Event()

    async def people() -> None:
        while not stop.is_set():
            await limiter.acquire(PEOPLE, max_wait=60)

    crowd = [asyncio.create_task(people()) for _ in range(5)]
    await limiter.acquire(BACKGROUND, max_wait=60)
    stop.set()
    await asyncio.gather(*crowd)


async def test_a_slot_that_is_too_far_away_is_not_reserved(redis: Redis) -> None:
    store = RedisReservationStore(redis, "slots", 0.1, local_share=1)
    limiter = RateLimiter(store)
    await limiter.acquire(PEOPLE, max_wait=1)
    for priority in (PEOPLE, BACKGROUND):
        with pytest.raises(CarrierRateLimited) as caught:
            await limiter.acquire(priority, max_wait=0.05)
        assert 1 <= int(caught.value.headers["Retry-After"]) <= 11
    answer = await store.reserve(20)
    assert answer.granted
    assert answer.wait <= 10.3


async def test_a_hold_stops_every_replica(redis: Redis) -> None:
    first, second = (
        RateLimiter(RedisReservationStore(redis, "slots", 1000, local_share=1)) for _ in range(2)
    )
    started = time.monotonic()
    await first.pause(0.5)
    await second.acquire(PEOPLE, max_wait=5)
    assert time.monotonic() - started >= 0.48


async def test_without_redis_each_process_keeps_its_share(no_redis: Redis) -> None:
    limiter = RateLimiter(RedisReservationStore(no_redis, "slots", 40, local_share=0.25))
    started = time.monotonic()
    await asyncio.gather(*(limiter.acquire(PEOPLE, max_wait=60) for _ in range(15)))
    assert time.monotonic() - started >= 14 * 0.1


async def test_without_redis_a_hold_holds(no_redis: Redis) -> None:
    limiter = RateLimiter(RedisReservationStore(no_redis, "slots", 1000, local_share=1))
    started = time.monotonic()
    await limiter.pause(0.3)
    await limiter.acquire(PEOPLE, max_wait=5)
    assert time.monotonic() - started >= 0.28


async def test_without_redis_a_slot_that_is_too_far_away_is_refused() -> None:
    store = LocalReservationStore(0.1)
    assert (await store.reserve(0)).granted
    assert not (await store.reserve(0.5)).granted


async def test_a_limit_of_minutes_lets_a_burst_go_and_then_spaces(redis: Redis) -> None:
    for store in (
        RedisReservationStore(redis, "slots:orders", 0.05, local_share=1, burst=9),
        LocalReservationStore(0.05, burst=9),
    ):
        limiter = RateLimiter(store)
        for _ in range(10):
            await limiter.acquire(PEOPLE, max_wait=0.01)
        with pytest.raises(CarrierRateLimited):
            await limiter.acquire(PEOPLE, max_wait=0.01)
        assert (await store.reserve(30)).granted


async def test_a_hold_stops_a_burst_too(redis: Redis) -> None:
    for store in (
        RedisReservationStore(redis, "slots:orders", 5, local_share=1, burst=9),
        LocalReservationStore(5, burst=9),
    ):
        limiter = RateLimiter(store)
        await limiter.pause(30)
        with pytest.raises(CarrierRateLimited) as caught:
            await limiter.acquire(PEOPLE, max_wait=1)
        assert 20 <= int(caught.value.headers["Retry-After"]) <= 31
