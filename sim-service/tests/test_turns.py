"""One rate limit for all: spacing, priority, and Redis away."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from fleet_kit.denylist import open_redis
from sim_service.carrier.errors import CarrierRateLimited
from sim_service.carrier.facts import Priority
from sim_service.carrier.turns import LocalBook, SharedBook, Turns

PEOPLE, BACKGROUND = Priority.PEOPLE, Priority.BACKGROUND


@pytest.fixture
async def no_redis() -> AsyncIterator[Redis]:
    client = open_redis("redis://127.0.0.1:1/0", timeout_seconds=0.1)
    yield client
    await client.aclose()


def most_in_a_second(moments: list[float]) -> int:
    return max(sum(start <= moment < start + 1 for moment in moments) for start in moments)


async def take(turns: Turns, priority: Priority, moments: list[float], longest: float = 30) -> None:
    await turns.take(priority, longest_wait=longest)
    moments.append(time.monotonic())


async def test_replicas_together_keep_the_rate(redis: Redis) -> None:
    replicas = [Turns(SharedBook(redis, "turns", 20, local_share=0.25)) for _ in range(3)]
    moments: list[float] = []
    calls = [take(turns, priority, moments) for turns in replicas for priority in (PEOPLE, BACKGROUND) * 5]
    started = time.monotonic()
    await asyncio.gather(*calls)
    assert most_in_a_second(moments) <= 21
    assert 1.3 <= time.monotonic() - started <= 4


async def test_people_go_before_a_background_job(redis: Redis) -> None:
    turns = Turns(SharedBook(redis, "turns", 20, local_share=0.25))
    background: list[float] = []
    people: list[float] = []
    jobs = [asyncio.create_task(take(turns, BACKGROUND, background)) for _ in range(20)]
    await asyncio.sleep(0.2)
    before = len(background)
    asked = time.monotonic()
    await asyncio.gather(*(take(turns, PEOPLE, people) for _ in range(5)))
    assert max(people) - asked < 0.6
    assert len(background) - before <= 3
    await asyncio.gather(*jobs)


async def test_a_background_job_is_not_starved(redis: Redis) -> None:
    turns = Turns(SharedBook(redis, "turns", 50, local_share=0.25), patience=0.3)
    moments: list[float] = []
    stop = asyncio.Event()

    async def people() -> None:
        while not stop.is_set():
            await turns.take(PEOPLE, longest_wait=10)

    crowd = [asyncio.create_task(people()) for _ in range(5)]
    started = time.monotonic()
    await take(turns, BACKGROUND, moments)
    stop.set()
    await asyncio.gather(*crowd)
    assert moments[0] - started < 2


async def test_a_turn_that_is_too_far_away_is_not_booked(redis: Redis) -> None:
    turns = Turns(SharedBook(redis, "turns", 1, local_share=1))
    await turns.take(PEOPLE, longest_wait=1)
    for priority in (PEOPLE, BACKGROUND):
        with pytest.raises(CarrierRateLimited) as caught:
            await turns.take(priority, longest_wait=0.05)
        assert 1 <= int(caught.value.headers["Retry-After"]) <= 2
    await turns.take(PEOPLE, longest_wait=2)


async def test_a_hold_stops_every_replica(redis: Redis) -> None:
    first, second = (Turns(SharedBook(redis, "turns", 1000, local_share=1)) for _ in range(2))
    await first.hold(0.5)
    started = time.monotonic()
    await second.take(PEOPLE, longest_wait=5)
    assert time.monotonic() - started >= 0.48


async def test_without_redis_each_process_keeps_its_share(no_redis: Redis) -> None:
    turns = Turns(SharedBook(no_redis, "turns", 40, local_share=0.25))
    moments: list[float] = []
    await asyncio.gather(*(take(turns, PEOPLE, moments) for _ in range(15)))
    assert most_in_a_second(moments) <= 11


async def test_without_redis_a_hold_holds(no_redis: Redis) -> None:
    turns = Turns(SharedBook(no_redis, "turns", 1000, local_share=1))
    await turns.hold(0.3)
    started = time.monotonic()
    await turns.take(PEOPLE, longest_wait=5)
    assert time.monotonic() - started >= 0.28


async def test_the_local_book_refuses_what_is_too_far_away() -> None:
    book = LocalBook(1)
    assert (await book.book(0)).granted
    assert not (await book.book(0.5)).granted


async def test_a_limit_of_minutes_lets_a_burst_go_and_then_spaces(redis: Redis) -> None:
    for book in (SharedBook(redis, "turns:orders", 5, local_share=1, burst=9), LocalBook(5, burst=9)):
        turns = Turns(book)
        for _ in range(10):
            await turns.take(PEOPLE, longest_wait=0.01)
        with pytest.raises(CarrierRateLimited):
            await turns.take(PEOPLE, longest_wait=0.01)
        await turns.take(PEOPLE, longest_wait=1)


async def test_a_hold_stops_a_burst_too(redis: Redis) -> None:
    for book in (SharedBook(redis, "turns:orders", 5, local_share=1, burst=9), LocalBook(5, burst=9)):
        turns = Turns(book)
        await turns.hold(30)
        with pytest.raises(CarrierRateLimited) as caught:
            await turns.take(PEOPLE, longest_wait=1)
        assert 29 <= int(caught.value.headers["Retry-After"]) <= 31
