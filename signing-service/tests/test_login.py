import asyncio
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import httpx
import pytest
from argon2 import PasswordHasher
from fastapi import FastAPI
from sqlalchemy import text

from fleet_kit.errors import Unavailable
from signing_service.passwords import Asker, Passwords

from .conftest import PASSWORD, client_from

Register = Callable[..., Any]
SOMEBODY = Asker("somebody", is_stranger=False)


@pytest.mark.parametrize("path", ["/auth/login", "/users/auth"])
async def test_both_path_names_log_in(register: Register, path: str) -> None:
    account = await register()
    body = {"email": account.user["email"].upper(), "password": PASSWORD}
    answer = (await account.client.post(path, json=body)).json()
    assert (answer["token_type"], answer["expires_in"]) == ("bearer", 1800)
    assert answer["refresh_token"].startswith("rt_")


async def test_a_wrong_password_and_an_unknown_address_get_the_same_answer(register: Register) -> None:
    account = await register()
    emails = (account.user["email"], f"{uuid4().hex}@example.com")
    bodies = [{"email": email, "password": "wrong password"} for email in emails]
    answers = [await account.client.post("/auth/login", json=body) for body in bodies]
    assert [answer.status_code for answer in answers] == [401, 401]
    assert answers[0].json()["error"]["code"] == answers[1].json()["error"]["code"] == "INVALID_CREDENTIALS"
    assert answers[0].json()["error"]["message"] == answers[1].json()["error"]["message"]


async def test_failed_logins_are_limited_per_account_and_others_are_not_held_up(register: Register) -> None:
    account, other = await register(), await register()
    wrong = {"email": account.user["email"], "password": "wrong password"}
    answers = [await account.client.post("/auth/login", json=wrong) for _ in range(12)]
    assert [answer.status_code for answer in answers] == [401] * 10 + [429] * 2
    assert int(answers[-1].headers["Retry-After"]) >= 1
    right = {"email": other.user["email"], "password": PASSWORD}
    answer = await account.client.post("/auth/login", json=right)
    assert answer.status_code == 200
    assert answer.headers["X-RateLimit-Limit"] == "10"


async def test_guesses_made_all_at_once_do_not_pass_the_limit(
    register: Register, app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All have passed the first look at the limit before the first fails; the right guess is checked last."""
    account = await register()
    failed, matches = asyncio.Event(), app.state.passwords.matches

    async def right_one_last(stored: str | None, password: str, asker: Asker) -> bool:
        if password == PASSWORD:
            await failed.wait()
        return bool(await matches(stored, password, asker))

    # A slow machine's queue is not what is judged.
    monkeypatch.setattr(app.state.passwords._users, "_wait", 60)
    monkeypatch.setattr(app.state.passwords, "matches", right_one_last)
    email = account.user["email"]
    right = asyncio.create_task(
        account.client.post("/auth/login", json={"email": email, "password": PASSWORD})
    )
    wrong = ({"email": email, "password": f"wrong password {number}"} for number in range(14))
    answers = await asyncio.gather(*(account.client.post("/auth/login", json=body) for body in wrong))
    failed.set()
    assert sorted(answer.status_code for answer in answers) == [401] * 10 + [429] * 4
    assert (await right).status_code == 429


async def test_what_is_left_of_the_limit_is_told_with_each_answer(register: Register) -> None:
    account = await register()
    wrong = {"email": account.user["email"], "password": "wrong password"}
    first, second = [await account.client.post("/auth/login", json=wrong) for _ in range(2)]
    left = [int(answer.headers["X-RateLimit-Remaining"]) for answer in (first, second)]
    assert left == [9, 8]
    assert int(second.headers["X-RateLimit-Reset"]) > time.time()
    for _ in range(8):
        await account.client.post("/auth/login", json=wrong)
    refused = await account.client.post("/auth/login", json=wrong | {"password": PASSWORD})
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "LOGIN_RATE_LIMITED")
    assert refused.headers["X-RateLimit-Remaining"] == "0"


async def test_the_limit_is_counted_for_each_address_apart_whatever_headers_claim(
    register: Register, app: FastAPI
) -> None:
    account = await register()
    wrong = {"email": account.user["email"], "password": "wrong password"}
    async with client_from(app, "192.0.2.1") as guesser, client_from(app, "192.0.2.2") as owner:
        for number in range(11):
            claimed = dict.fromkeys(("X-Real-IP", "X-Forwarded-For"), f"198.51.100.{number}")
            answer = await guesser.post("/auth/login", json=wrong, headers=claimed)
        assert answer.status_code == 429
        right = {"email": account.user["email"], "password": PASSWORD}
        assert (await owner.post("/auth/login", json=right)).status_code == 200


async def test_spaces_around_belong_to_a_password_but_not_to_an_address(register: Register) -> None:
    email = f"{uuid4().hex}@example.com"
    account = await register(f" {email} ")
    assert account.user["email"] == email
    for password in (f" {PASSWORD}", f"{PASSWORD} "):
        answer = await account.client.post("/auth/login", json={"email": email, "password": password})
        assert answer.status_code == 401


async def test_a_login_replaces_an_outdated_hash(register: Register, app: FastAPI) -> None:
    account = await register()
    weak = PasswordHasher(time_cost=1, memory_cost=1024).hash(PASSWORD)
    who = {"id": account.user["id"]}
    async with app.state.sessions() as session, session.begin():
        await session.execute(
            text("UPDATE t_users SET password_hash = :weak WHERE id = :id"), who | {"weak": weak}
        )
    body = {"email": account.user["email"], "password": PASSWORD}
    assert (await account.client.post("/auth/login", json=body)).status_code == 200
    async with app.state.sessions() as session:
        stored = await session.scalar(text("SELECT password_hash FROM t_users WHERE id = :id"), who)
    assert not app.state.passwords.is_outdated(stored)
    assert (await account.client.post("/auth/login", json=body)).status_code == 200


async def test_an_unknown_address_takes_as_long_as_a_wrong_password() -> None:
    passwords = Passwords(1)
    stored = await passwords.hash(PASSWORD, SOMEBODY)
    took: dict[str | None, float] = {}
    for candidate in (stored, None):
        runs = []
        for _ in range(3):
            began = time.process_time()
            assert not await passwords.matches(candidate, "wrong password", SOMEBODY)
            runs.append(time.process_time() - began)
        took[candidate] = min(runs)
    assert took[None] > took[stored] / 3


async def test_who_waits_too_long_for_a_hash_is_told_to_come_again() -> None:
    passwords = Passwords(1, max_wait_seconds=0.01)
    hashes = (passwords.hash(PASSWORD, Asker(str(number), False)) for number in range(4))
    answers = await asyncio.gather(*hashes, return_exceptions=True)
    assert any(isinstance(answer, Unavailable) for answer in answers)
    assert await passwords.hash(PASSWORD, SOMEBODY)


async def test_no_database_connection_is_held_while_passwords_are_checked(
    register: Register, app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More logins at once than the pool has connections, and another request is answered meanwhile."""
    account = await register()
    body = {"email": account.user["email"], "password": PASSWORD}
    release, all_here = asyncio.Event(), asyncio.Barrier(16)
    matches = app.state.passwords.matches

    async def held(stored: str | None, password: str, asker: Asker) -> bool:
        await all_here.wait()
        await release.wait()
        return bool(await matches(stored, password, asker))

    monkeypatch.setattr(app.state.passwords, "matches", held)
    monkeypatch.setattr(app.state.passwords._users, "_wait", 60)
    logins = [asyncio.create_task(account.client.post("/auth/login", json=body)) for _ in range(15)]
    async with asyncio.timeout(60):
        await all_here.wait()
    assert (await account.get("/auth/me")).status_code == 200
    release.set()
    assert {answer.status_code for answer in await asyncio.gather(*logins)} == {200}


@pytest.mark.parametrize(
    "body",
    [
        {"email": "nobody@example.com"},
        {"email": "nobody@example.com", "password": ""},
        {"email": "nobody", "password": PASSWORD},
        {"email": "nobody@example.com", "password": PASSWORD, "remember": True},
        {"email": "nobody@example.com", "password": ["x"]},
        [],
    ],
)
async def test_malformed_logins_are_refused(client: httpx.AsyncClient, body: Any) -> None:
    answer = await client.post("/auth/login", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "VALIDATION_FAILED")
    assert PASSWORD not in answer.text
