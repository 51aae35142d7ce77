"""Limits of organisations: exact also for those who come at once, and each organisation's own."""

import asyncio
from uuid import UUID, uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from fleet_kit.database import create_sessions
from fleet_kit.errors import Conflict, NotFound
from fleet_kit.limits import Limits, OrganizationLimitOut

DEFAULTS = {"things": 5, "parts": 100}


async def take(engine: AsyncEngine, organization_id: UUID, number: int = 1, *, name: str = "things") -> bool:
    """Whether so many more were allowed."""
    try:
        async with create_sessions(engine)() as session, session.begin():
            await Limits(session, DEFAULTS).take(organization_id, name, number)
    except Conflict:
        return False
    return True


async def things(engine: AsyncEngine, organization_id: UUID) -> OrganizationLimitOut:
    async with create_sessions(engine)() as session:
        return (await Limits(session, DEFAULTS).of(organization_id))[0]


async def test_of_many_at_once_exactly_the_allowed_ones_pass(engine: AsyncEngine) -> None:
    ours, theirs = uuid4(), uuid4()
    passed = await asyncio.gather(*(take(engine, ours) for _ in range(12)))
    assert passed.count(True) == 5
    assert await take(engine, theirs)
    assert await take(engine, ours, 100, name="parts")
    assert not await take(engine, ours, 1, name="parts")


async def test_what_was_not_committed_is_not_counted(engine: AsyncEngine) -> None:
    ours = uuid4()
    async with create_sessions(engine)() as session:
        await Limits(session, DEFAULTS).take(ours, "things", 5)
        await session.rollback()
    assert (await things(engine, ours)).used == 0


async def test_what_is_given_back_can_be_taken_again(engine: AsyncEngine) -> None:
    ours = uuid4()
    assert await take(engine, ours, 5)
    for _ in range(2):
        async with create_sessions(engine)() as session, session.begin():
            await Limits(session, DEFAULTS).give_back(ours, "things", 4)
    assert (await things(engine, ours)).used == 0
    assert await take(engine, ours, 5)


async def test_a_limit_of_its_own_replaces_the_default_until_it_is_taken_away(engine: AsyncEngine) -> None:
    ours = uuid4()
    for maximum, allowed in ((7, True), (0, False), (None, False)):
        async with create_sessions(engine)() as session, session.begin():
            await Limits(session, DEFAULTS).set(ours, "things", maximum)
        assert await take(engine, ours, 6) is allowed
    assert (await things(engine, ours)).model_dump() == {
        "name": "things",
        "used": 6,
        "maximum": 5,
        "default": 5,
    }
    async with create_sessions(engine)() as session:
        with pytest.raises(NotFound):
            await Limits(session, DEFAULTS).set(ours, "wishes", 1)
