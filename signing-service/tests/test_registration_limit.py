"""What strangers may register from one address."""

from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from redis.asyncio import Redis

from signing_service.settings import SigningSettings

from .conftest import PASSWORD, Account, changed_app, client_from

pytestmark = pytest.mark.attack

DAY = 24 * 3600


@pytest.fixture
async def strict(settings: SigningSettings, redis: Redis) -> AsyncIterator[FastAPI]:
    """An application that lets each address register three times a day."""
    await redis.flushdb()
    async with changed_app(settings, registrations_per_day=3) as app:
        yield app


async def registered(client: httpx.AsyncClient, email: str = "", **options: Any) -> httpx.Response:
    body = {"email": email or f"{uuid4().hex}@example.com", "password": PASSWORD}
    return await client.post("/auth/register", json=body, **options)


async def test_an_address_may_register_so_often_a_day_whatever_its_headers_claim(strict: FastAPI) -> None:
    async with client_from(strict, "192.0.2.1") as flood, client_from(strict, "192.0.2.2") as other:
        answers = []
        for number in range(5):
            claimed = dict.fromkeys(("X-Real-IP", "X-Forwarded-For"), f"198.51.100.{number}")
            answers.append(await registered(flood, headers=claimed))
        assert [answer.status_code for answer in answers] == [201] * 3 + [429] * 2
        refused = answers[-1]
        assert refused.json()["error"]["code"] == "REGISTRATION_RATE_LIMITED"
        assert DAY - 3600 < int(refused.headers["Retry-After"]) <= DAY + 1
        assert (await registered(other)).status_code == 201


async def test_both_path_names_have_one_allowance(strict: FastAPI) -> None:
    async with client_from(strict, "192.0.2.3") as flood:
        for path in ("/auth/register", "/users/add", "/auth/register", "/users/add"):
            body = {"email": f"{uuid4().hex}@example.com", "password": PASSWORD}
            answer = await flood.post(path, json=body)
    assert answer.status_code == 429


async def test_of_ipv6_a_whole_64_has_one_allowance(strict: FastAPI) -> None:
    for number in range(3):
        async with client_from(strict, f"2001:db8:0:1::{number}") as flood:
            assert (await registered(flood)).status_code == 201
    async with (
        client_from(strict, "2001:db8:0:1:9::1") as same,
        client_from(strict, "2001:db8:0:2::1") as other,
    ):
        assert (await registered(same)).status_code == 429
        assert (await registered(other)).status_code == 201


async def test_who_has_an_account_can_be_asked_only_as_often_as_one_may_register(
    strict: FastAPI, register: Callable[..., Any]
) -> None:
    account: Account = await register()
    async with client_from(strict, "192.0.2.4") as curious:
        answers = [await registered(curious, account.user["email"]) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [409] * 3 + [429]
        assert (await registered(curious)).status_code == 429


async def test_malformed_bodies_are_refused_without_being_counted(strict: FastAPI) -> None:
    async with client_from(strict, "192.0.2.5") as clumsy:
        for _ in range(4):
            assert (await clumsy.post("/auth/register", json={"email": "nobody"})).status_code == 422
        assert (await registered(clumsy)).status_code == 201


async def test_the_platform_administrator_is_not_limited(strict: FastAPI, platform_admin: Account) -> None:
    async with client_from(strict, "192.0.2.6") as office:
        for _ in range(5):
            assert (await registered(office, headers=platform_admin.headers)).status_code == 201
        stale = {"Authorization": "Bearer of-yesterday"}
        answers = [await registered(office, headers=stale) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [201] * 3 + [429]


async def test_without_redis_each_replica_still_counts(settings: SigningSettings) -> None:
    away = {"redis_url": type(settings.redis_url)("redis://127.0.0.1:9/0"), "registrations_per_day": 3}
    async with changed_app(settings, **away) as app, client_from(app, "192.0.2.7") as flood:
        answers = [await registered(flood) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [201] * 3 + [429]
