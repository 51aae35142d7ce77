"""The carrier's allowance is shared: between organisations in turn, and people go before jobs."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest
from redis.asyncio import Redis

from fleet_kit.testing import eventually
from sim_service.carrier.errors import CarrierRateLimited
from sim_service.carrier.fair_share import share_of
from sim_service.carrier.models import Priority
from sim_service.carrier.once.build import open_once
from sim_service.carrier.rate_limiter import LocalReservationStore, RateLimiter, RedisReservationStore

from ..support import Fleet

pytestmark = pytest.mark.attack

PEOPLE, BACKGROUND = Priority.INTERACTIVE, Priority.BACKGROUND
Granted = list[str]


@pytest.fixture(params=["redis", "without redis"])
async def store(
    request: pytest.FixtureRequest, redis: Redis
) -> AsyncIterator[LocalReservationStore | RedisReservationStore]:
    if request.param == "redis":
        yield RedisReservationStore(redis, "slots", 20, local_share=0.25)
    else:
        yield LocalReservationStore(20)


class Callers:
    """Organisations that ask, and the order in which they were let through."""

    def __init__(self, *limiters: RateLimiter) -> None:
        self._limiters, self.granted = limiters, Granted()
        self._owners: dict[str, UUID] = {}
        self.tasks: list[asyncio.Task[None]] = []

    def ask(self, name: str, number: int, priority: Priority = PEOPLE) -> None:
        self.tasks += [asyncio.create_task(self._ask(name, place, priority)) for place in range(number)]

    async def _ask(self, name: str, place: int, priority: Priority) -> None:
        with share_of(self._owners.setdefault(name, uuid4())):
            await self._limiters[place % len(self._limiters)].acquire(priority, max_wait=600)
        self.granted.append(name)

    async def granted_at_least(self, number: int) -> None:
        async def is_so() -> bool:
            return len(self.granted) >= number

        await eventually(is_so)

    async def end(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


async def test_a_loop_of_one_organisation_does_not_hold_up_another(
    store: LocalReservationStore | RedisReservationStore,
) -> None:
    callers = Callers(RateLimiter(store), RateLimiter(store))
    callers.ask("loop", 100)
    await callers.granted_at_least(3)
    before = len(callers.granted)
    callers.ask("other", 1)

    async def other_was_served() -> bool:
        return "other" in callers.granted

    await eventually(other_was_served)
    assert callers.granted.index("other") - before <= 4
    await callers.end()


async def test_organisations_take_turns(store: LocalReservationStore | RedisReservationStore) -> None:
    callers = Callers(RateLimiter(store))
    for name in ("a", "b", "c"):
        callers.ask(name, 20)
    await callers.granted_at_least(30)
    shares = [callers.granted[:30].count(name) for name in ("a", "b", "c")]
    assert min(shares) >= 8, shares
    await callers.end()


async def test_jobs_of_organisations_take_turns(store: LocalReservationStore | RedisReservationStore) -> None:
    callers = Callers(RateLimiter(store))
    callers.ask("large", 60, BACKGROUND)
    callers.ask("small", 10, BACKGROUND)
    await callers.granted_at_least(20)
    assert callers.granted[:20].count("small") >= 8
    await callers.end()


async def test_people_wait_for_one_slot_of_jobs_however_impatient_those_are(
    store: LocalReservationStore | RedisReservationStore,
) -> None:
    callers = Callers(RateLimiter(store, patience=0.0))
    for number in range(20):
        callers.ask(f"job {number}", 5, BACKGROUND)
    await callers.granted_at_least(3)
    before = len(callers.granted)
    callers.ask("person", 1)

    async def person_was_served() -> bool:
        return "person" in callers.granted

    await eventually(person_was_served)
    assert callers.granted.index("person") - before <= 3
    await callers.end()


async def test_who_waits_too_long_in_the_queue_is_told_when_to_come_again() -> None:
    limiter = RateLimiter(LocalReservationStore(0.5))
    with share_of(uuid4()):
        await limiter.acquire(PEOPLE, max_wait=60)
        answers = await asyncio.gather(
            *(limiter.acquire(PEOPLE, max_wait=0.1) for _ in range(5)), return_exceptions=True
        )
    for answer in answers:
        assert isinstance(answer, CarrierRateLimited)
        assert int(answer.headers["Retry-After"]) >= 1


async def test_a_loop_of_syncs_leaves_the_carrier_to_others(fleet: Fleet, redis: Redis) -> None:
    """As attacked: one organisation's calls of `sync` in a loop, judged by the sandbox's own log."""
    ours = await fleet.owned_sims(40)
    theirs = fleet.sandbox.sims()[40].iccid
    await fleet.claim(theirs, by=fleet.theirs)
    slow = fleet.settings.model_copy(update={"carrier_requests_per_second": 10})
    await redis.flushdb()
    async with open_once(slow, redis) as carrier:
        fleet.app.state.carrier = carrier
        fleet.sandbox.calls.clear()
        loop = [asyncio.create_task(fleet.ours.operator.post(f"/sims/{iccid}/sync")) for iccid in ours]

        async def has_begun() -> bool:
            return fleet.sandbox.called("/sims/") >= 3

        await eventually(has_begun)
        before = len(fleet.sandbox.calls)
        answer = await fleet.theirs.operator.post(f"/sims/{theirs}/sync")
        assert answer.status_code == 200, answer.text
        place = next(number for number, path in enumerate(fleet.sandbox.calls) if theirs in path)
        for task in loop:
            task.cancel()
        await asyncio.gather(*loop, return_exceptions=True)
    assert place - before <= 8, "the loop's calls went first"
