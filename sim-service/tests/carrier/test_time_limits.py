"""However a call goes, its caller has an answer when the time budget ends."""

import asyncio
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis

from sim_service.carrier.errors import CarrierOutcomeUnknown, CarrierUnavailable
from sim_service.carrier.models import PaymentMethod, Priority
from sim_service.carrier.once.request import TimeBudget
from sim_service.carrier.rate_limiter import LocalReservationStore, RateLimiter
from sim_service.carrier.time_limit import optional_call

from ..carrier_support import ICCID, Script, carrier, ok, sim

FOR_EVER = 3600.0
PEOPLE = Priority.INTERACTIVE


def budgets(total_seconds: float) -> dict[Priority, TimeBudget]:
    """A single attempt may last for ever."""
    return {priority: TimeBudget(3, FOR_EVER, total_seconds) for priority in Priority}


class SilentCarrier(Script):
    """Never answers but with tokens."""

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        answer = await super().__call__(request)
        if "oauth" not in request.url.path:
            await asyncio.Event().wait()
        return answer


class SlowLimiter(RateLimiter):
    """Lets every call wait for a part of the time that it has."""

    def __init__(self, part: float) -> None:
        super().__init__(LocalReservationStore(1000))
        self._part = part

    async def acquire(self, priority: Priority, *, max_wait: float) -> None:
        await asyncio.sleep(self._part * max_wait)


@pytest.mark.parametrize("part", [0, 1])
async def test_a_carrier_that_does_not_answer_is_given_up_when_the_time_ends(
    redis: Redis, part: float
) -> None:
    """However long the call has waited for its turn before."""
    script = SilentCarrier([ok(sim())])
    client = carrier(script, redis, budgets=budgets(0.5), limiter=SlowLimiter(part))
    async with asyncio.timeout(60):
        with pytest.raises(CarrierUnavailable):
            await client.get_sim(ICCID, priority=PEOPLE)
    assert len(script.requests) == 1


async def test_a_purchase_without_an_answer_has_an_unknown_outcome_when_the_time_ends(redis: Redis) -> None:
    client = carrier(SilentCarrier([ok({})]), redis, budgets=budgets(1.5))
    async with asyncio.timeout(60):
        with pytest.raises(CarrierOutcomeUnknown):
            await client.top_up([ICCID], PaymentMethod.CREDIT_CARD, priority=PEOPLE)


async def test_a_purchase_that_has_no_time_for_an_answer_is_not_sent(redis: Redis) -> None:
    """Or its outcome would be unknown, and another purchase would have to wait until it is found."""
    script = SilentCarrier([ok({})])
    client = carrier(script, redis, budgets=budgets(1.5), limiter=SlowLimiter(1))
    with pytest.raises(CarrierUnavailable):
        await client.top_up([ICCID], PaymentMethod.CREDIT_CARD, priority=PEOPLE)
    assert script.requests == []


async def test_a_call_that_is_not_needed_takes_little_of_the_time(redis: Redis) -> None:
    client = carrier(SilentCarrier([ok(sim())]), redis, budgets=budgets(FOR_EVER))
    async with asyncio.timeout(60):
        with optional_call(), pytest.raises(CarrierUnavailable):
            await client.get_sim(ICCID, priority=PEOPLE)


async def test_only_calls_within_are_limited(redis: Redis) -> None:
    heard: list[float] = []

    class RecordingLimiter(RateLimiter):
        async def acquire(self, priority: Priority, *, max_wait: float) -> None:
            heard.append(max_wait)

    limiter: Any = RecordingLimiter(LocalReservationStore(1000))
    client = carrier(Script([ok(sim())]), redis, budgets=budgets(1000), limiter=limiter)
    with optional_call():
        await client.get_sim(ICCID, priority=PEOPLE)
    await client.get_sim(ICCID, priority=PEOPLE)
    assert heard[0] < 2
    assert heard[1] > 500
