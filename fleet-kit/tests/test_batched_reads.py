import asyncio
from typing import Any, cast

import pytest
from redis.asyncio import Redis

from fleet_kit.batched_reads import BatchedReads


class SlowRedis:
    """Answers when it is let, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.values: dict[str, bytes] = {"a": b"1", "b": b"2"}
        self.go = asyncio.Event()
        self.error: Exception | None = None

    async def mget(self, keys: list[str]) -> list[Any]:
        self.asked.append(keys)
        await self.go.wait()
        if self.error:
            raise self.error
        return [self.values.get(key) for key in keys]


@pytest.fixture
def redis() -> SlowRedis:
    return SlowRedis()


@pytest.fixture
def reads(redis: SlowRedis) -> BatchedReads:
    return BatchedReads(cast(Redis, redis))


async def test_what_is_asked_for_together_is_one_round_trip(redis: SlowRedis, reads: BatchedReads) -> None:
    redis.go.set()
    one, two = reads.get("a", "c"), reads.get("b", "a")
    assert (await one, await two) == ([b"1", None], [b"2", b"1"])
    assert redis.asked == [["a", "c", "b"]]


async def test_question_during_a_round_trip_is_not_answered_by_it(
    redis: SlowRedis, reads: BatchedReads
) -> None:
    """The value may have changed since that round trip began."""
    first = reads.get("a")
    await asyncio.sleep(0)
    second = reads.get("a")
    redis.go.set()
    await first
    await second
    assert redis.asked == [["a"], ["a"]]


async def test_cancelled_question_does_not_disturb_its_neighbours(
    redis: SlowRedis, reads: BatchedReads
) -> None:
    cancelled, other = reads.get("a"), reads.get("a")
    await asyncio.sleep(0)
    cancelled.cancel()
    redis.go.set()
    assert await other == [b"1"]


async def test_failure_reaches_everybody_who_waits_and_the_next_question_is_tried_again(
    redis: SlowRedis, reads: BatchedReads
) -> None:
    redis.error = TimeoutError("too slow")
    redis.go.set()
    answers = [reads.get("a") for _ in range(3)]
    for answer in answers[:2]:
        with pytest.raises(ConnectionError, match="too slow"):
            await answer
    redis.error = None
    assert await reads.get("b") == [b"2"]
