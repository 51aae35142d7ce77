"""Strangers in any number: users log in meanwhile, and are neither guessed nor found out."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from redis.asyncio import Redis

from fleet_kit.testing import eventually
from signing_service.hash_pool import HashPool
from signing_service.passwords import STRANGERS_PLACES, Passwords
from signing_service.settings import SigningSettings

from .conftest import PASSWORD, changed_app, client_from

pytestmark = pytest.mark.attack

Register = Callable[..., Any]


@pytest.fixture
async def app_alone(settings: SigningSettings, redis: Redis) -> AsyncIterator[FastAPI]:
    """An application whose pools and counters no other test uses."""
    await redis.flushdb()
    async with changed_app(settings, login_failures_per_address_and_hour=20) as app:
        yield app


@contextmanager
def busy(pool: HashPool) -> Iterator[list[asyncio.Task[Any]]]:
    """Its only thread is held until the end; add tasks that are to be awaited then."""
    release = threading.Event()
    try:
        yield [asyncio.create_task(pool.run("held", lambda: release.wait(120)))]
    finally:
        release.set()


async def login(client: httpx.AsyncClient, email: str, password: str) -> httpx.Response:
    return await client.post("/auth/login", json={"email": email, "password": password})


async def fill(app: FastAPI, tasks: list[asyncio.Task[Any]]) -> None:
    """Take all places of the strangers by registrations from many addresses."""
    pool: HashPool = app.state.passwords._strangers

    async def come(number: int) -> httpx.Response:
        async with client_from(app, f"192.0.2.{number}") as client:
            body = {"email": f"{uuid4().hex}@example.com", "password": PASSWORD}
            return await client.post("/auth/register", json=body)

    tasks += [asyncio.create_task(come(number)) for number in range(STRANGERS_PLACES + 4)]

    async def full() -> bool:
        return pool._permits.users == STRANGERS_PLACES

    await eventually(full)


async def test_a_user_logs_in_while_strangers_fill_their_pool(app_alone: FastAPI, register: Register) -> None:
    account = await register()
    with busy(app_alone.state.passwords._strangers) as tasks:
        await fill(app_alone, tasks)
        async with client_from(app_alone) as client:
            assert (await login(client, account.user["email"], PASSWORD)).status_code == 200
            body = {"email": f"{uuid4().hex}@example.com", "password": PASSWORD}
            refused = await client.post("/auth/register", json=body)
            assert (refused.status_code, refused.json()["error"]["code"]) == (503, "PASSWORD_CHECKS_BUSY")
            assert int(refused.headers["Retry-After"]) >= 1
    await asyncio.gather(*tasks)


async def test_a_full_pool_of_strangers_does_not_tell_who_has_an_account(
    app_alone: FastAPI, register: Register
) -> None:
    accounts = [await register() for _ in range(2)]
    with busy(app_alone.state.passwords._strangers) as tasks:
        await fill(app_alone, tasks)
        async with client_from(app_alone, "198.51.100.1") as curious:
            for fresh in (401, 503):  # until it has failed too often, and then
                for account in accounts:
                    for email in (account.user["email"], f"{uuid4().hex}@example.com"):
                        assert (await login(curious, email, "wrong password")).status_code == fresh
                await login(curious, f"{uuid4().hex}@example.com", "wrong password")
    await asyncio.gather(*tasks)


async def test_who_logs_in_many_times_at_once_waits_for_himself(
    app_alone: FastAPI, register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both threads are free for others while twenty logins of one account wait for each other."""
    greedy, other = await register(), await register()
    passwords: Passwords = app_alone.state.passwords
    release, verify = threading.Event(), passwords._verify
    held = 0

    def slow(stored: str | None, password: str) -> bool:
        nonlocal held
        if password == "greedy":
            held += 1
            release.wait(120)
        return verify(stored, password)

    monkeypatch.setattr(passwords, "_verify", slow)
    async with client_from(app_alone) as client:
        flood = [asyncio.create_task(login(client, greedy.user["email"], "greedy")) for _ in range(40)]

        async def begun() -> bool:
            return held == 1 and sum(task.done() for task in flood) == 8

        await eventually(begun)
        assert (await login(client, other.user["email"], PASSWORD)).status_code == 200
        assert held == 1
        release.set()
        answers = await asyncio.gather(*flood)
    assert {answer.status_code for answer in answers} <= {401, 429, 503}


async def test_an_address_that_tries_many_accounts_has_to_wait(
    app_alone: FastAPI, register: Register
) -> None:
    account = await register()
    async with (
        client_from(app_alone, "198.51.100.2") as guesser,
        client_from(app_alone, "198.51.100.9") as owner,
    ):
        answers = [await login(guesser, f"{uuid4().hex}@example.com", "wrong password") for _ in range(21)]
        assert [answer.status_code for answer in answers] == [401] * 20 + [429]
        assert answers[-1].json()["error"]["code"] == "LOGIN_RATE_LIMITED"
        assert int(answers[-1].headers["Retry-After"]) > 60
        assert (await login(guesser, account.user["email"], PASSWORD)).status_code == 429
        assert (await login(owner, account.user["email"], PASSWORD)).status_code == 200


async def test_an_account_known_at_an_address_does_not_suffer_from_who_guesses_there(
    app_alone: FastAPI, register: Register
) -> None:
    """As in an office, or behind a proxy that hides who is who."""
    account = await register()
    async with client_from(app_alone, "198.51.100.3") as shared:
        assert (await login(shared, account.user["email"], PASSWORD)).status_code == 200
        answers = [await login(shared, f"{uuid4().hex}@example.com", "wrong password") for _ in range(21)]
        assert answers[-1].status_code == 429
        with busy(app_alone.state.passwords._strangers) as tasks:
            await fill(app_alone, tasks)
            assert (await login(shared, account.user["email"], PASSWORD)).status_code == 200
        wrong = [await login(shared, account.user["email"], "wrong password") for _ in range(11)]
        assert [answer.status_code for answer in wrong] == [401] * 10 + [429]
    await asyncio.gather(*tasks)
