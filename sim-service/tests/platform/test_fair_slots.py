"""Places in the queue that are kept for who gave up. How long is far too long here, or over at once."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

from fleet_kit.testing import eventually
from sim_service.platform.fair_slots import FairSlots

FOR_EVER = 3600.0


@asynccontextmanager
async def slot(slots: FairSlots, owner: UUID) -> AsyncIterator[None]:
    await slots.acquire(owner)
    try:
        yield
    finally:
        slots.release()


async def has_a_turn(slots: FairSlots, owner: UUID) -> bool:
    try:
        async with slot(slots, owner):
            return True
    except TimeoutError:
        return False


async def one_gave_up(slots: FairSlots, owner: UUID) -> None:
    """Because both slots were taken."""
    async with slot(slots, uuid4()), slot(slots, uuid4()):
        assert not await has_a_turn(slots, owner)


async def test_who_gave_up_has_its_turn_before_who_had_one() -> None:
    slots, second, patient = FairSlots(2, wait=0.05, keep=FOR_EVER), uuid4(), uuid4()
    async with slot(slots, uuid4()):
        async with slot(slots, second):
            assert not await has_a_turn(slots, patient)
        assert not await has_a_turn(slots, second), "a slot is left for who waited"
        assert await has_a_turn(slots, patient)
        async with slot(slots, second):
            assert not await has_a_turn(slots, patient)


async def test_a_place_for_which_nobody_comes_is_given_to_the_next() -> None:
    slots, next_one = FairSlots(2, wait=0.05, keep=0.05), uuid4()

    async def next_has_a_turn() -> bool:
        return await has_a_turn(slots, next_one)

    await one_gave_up(slots, uuid4())
    async with slot(slots, uuid4()):
        await eventually(next_has_a_turn)
