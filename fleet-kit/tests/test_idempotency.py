import asyncio
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.dialects.postgresql import Insert
from sqlalchemy.ext.asyncio import AsyncEngine

from fleet_kit import idempotency
from fleet_kit.database import create_sessions
from fleet_kit.errors import Conflict, Unavailable
from fleet_kit.idempotency import Idempotency, delete_expired
from fleet_kit.testing import eventually


async def use(
    engine: AsyncEngine, key: str | None, answer: int, fingerprint: str = "f", *, owner: str = "org"
) -> object:
    async with create_sessions(engine)() as session, session.begin():
        once = Idempotency(session, key, fingerprint)
        earlier = await once.replay(owner)
        if earlier is None:
            await once.remember(owner, {"answer": answer})
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


async def test_of_retries_at_once_the_next_sees_what_the_one_before_has_made(engine: AsyncEngine) -> None:
    await use(engine, "k", 1)
    async with create_sessions(engine).begin() as session:
        retry = Idempotency(session, "k", "f")
        assert await retry.replay("org") == {"answer": 1}
        other = asyncio.create_task(use(engine, "k", 3))

        async def waits_or_is_done() -> bool:
            waiting = "datname = current_database() AND wait_event_type = 'Lock'"
            async with engine.connect() as connection:
                found = await connection.execute(text(f"SELECT pid FROM pg_stat_activity WHERE {waiting}"))
                return other.done() or bool(found.all())

        await eventually(waits_or_is_done)
        await retry.remember("org", {"answer": 2})
    assert await other == {"answer": 2}


async def test_a_key_is_deleted_after_its_retention_and_not_before(engine: AsyncEngine) -> None:
    for key in ("old", "young"):
        await use(engine, key, 1)
    async with engine.begin() as connection:
        await connection.execute(
            text(
                "UPDATE t_idempotency_keys SET created_at = now() - interval '1 hour'"
                " * CASE key WHEN 'old' THEN 25 ELSE 23 END"
            )
        )
    await delete_expired(create_sessions(engine))
    assert [await use(engine, "old", 2), await use(engine, "young", 2)] == [{"answer": 2}, {"answer": 1}]


async def test_an_owner_has_so_many_keys_and_the_oldest_go(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "KEYS_OF_AN_OWNER", 3)
    monkeypatch.setattr(idempotency, "_FORGET_EVERY", 1)
    await use(engine, "0", 0, owner="other")
    for number in range(6):
        await use(engine, str(number), number)
    async with engine.connect() as connection:
        rows = await connection.execute(text("SELECT owner, key FROM t_idempotency_keys"))
        assert sorted(map(tuple, rows)) == [("org", "3"), ("org", "4"), ("org", "5"), ("other", "0")]
    assert await use(engine, "5", 99) == {"answer": 5}


async def test_forgetting_the_oldest_locks_none_that_stay_and_waits_for_none(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(6):
        await use(engine, str(number), number)
    monkeypatch.setattr(idempotency, "KEYS_OF_AN_OWNER", 4)
    monkeypatch.setattr(idempotency, "_FORGET_EVERY", 1)
    sessions = create_sessions(engine)
    free = "SELECT key FROM t_idempotency_keys ORDER BY key FOR UPDATE SKIP LOCKED"
    async with sessions.begin() as holder, sessions.begin() as forgets, sessions.begin() as other:
        await holder.execute(text("SELECT key FROM t_idempotency_keys WHERE key = '1' FOR UPDATE"))
        async with asyncio.timeout(30):
            await Idempotency(forgets, "new", "f").replay("org")
        assert list((await other.execute(text(free))).scalars()) == ["3", "4", "5"]
    async with sessions() as session:
        left = (await session.execute(text("SELECT key FROM t_idempotency_keys ORDER BY key"))).scalars()
        assert list(left) == ["1", "3", "4", "5", "new"]


async def claim_while_it_is_deleted(engine: AsyncEngine, times: int) -> Any:
    """What a repetition is answered whose key is deleted between its claim and its look, so many times."""
    async with create_sessions(engine).begin() as session:
        execute, left = session.execute, times

        async def execute_and_delete(statement: Any) -> Any:
            nonlocal left
            if not isinstance(statement, Insert) or left == 0:
                return await execute(statement)
            left -= 1
            await use(engine, "k", 1)
            result = await execute(statement)
            async with engine.begin() as purge:
                await purge.execute(text("DELETE FROM t_idempotency_keys"))
            return result

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(session, "execute", execute_and_delete)
            answer = await Idempotency(session, "k", "f").replay("org")
            assert left == 0
            return answer


async def test_a_key_that_is_deleted_while_it_is_claimed_is_claimed_anew(engine: AsyncEngine) -> None:
    assert await claim_while_it_is_deleted(engine, times=1) is None
    async with engine.connect() as connection:
        assert (await connection.execute(text("SELECT key, body FROM t_idempotency_keys"))).all() == [
            ("k", None)
        ]


async def test_a_claim_is_not_repeated_for_ever(engine: AsyncEngine) -> None:
    with pytest.raises(Unavailable):
        await claim_while_it_is_deleted(engine, times=100)
