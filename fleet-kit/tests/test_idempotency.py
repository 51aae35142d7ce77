import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from fleet_kit.database import create_sessions
from fleet_kit.errors import Conflict
from fleet_kit.idempotency import Idempotency, delete_expired


async def use(engine: AsyncEngine, key: str | None, answer: int, fingerprint: str = "f") -> object:
    async with create_sessions(engine)() as session, session.begin():
        idempotency = Idempotency(session, key, fingerprint)
        earlier = await idempotency.replay("org")
        if earlier is None:
            await idempotency.remember("org", {"answer": answer})
            return {"answer": answer}
        return earlier


async def test_a_repeated_key_gets_the_first_answer(engine: AsyncEngine) -> None:
    assert await use(engine, "k", 1) == await use(engine, "k", 2) == {"answer": 1}
    assert await use(engine, "other", 2) == {"answer": 2}


async def test_without_a_key_every_request_is_its_own(engine: AsyncEngine) -> None:
    assert [await use(engine, None, 1), await use(engine, None, 2)] == [{"answer": 1}, {"answer": 2}]


async def test_a_key_used_for_another_request_is_a_conflict(engine: AsyncEngine) -> None:
    await use(engine, "k", 1)
    with pytest.raises(Conflict):
        await use(engine, "k", 1, fingerprint="g")


async def test_concurrent_repetitions_are_done_once(engine: AsyncEngine) -> None:
    answers = await asyncio.gather(*(use(engine, "k", number) for number in range(8)))
    assert all(answer == answers[0] for answer in answers)


async def test_a_key_is_deleted_after_its_retention_and_not_before(engine: AsyncEngine) -> None:
    for key in ("old", "young"):
        await use(engine, key, 1)
    async with engine.begin() as connection:
        await connection.execute(
            text(
                "UPDATE t_idempotency_keys SET created_at = now() - interval '1 day'"
                " * CASE key WHEN 'old' THEN 8 ELSE 6 END"
            )
        )
    await delete_expired(create_sessions(engine))
    assert [await use(engine, "old", 2), await use(engine, "young", 2)] == [{"answer": 2}, {"answer": 1}]
