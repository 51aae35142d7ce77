"""The commands as they really run."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aio_pika
import orjson
import pytest
from aio_pika.abc import AbstractIncomingMessage
from fastapi import FastAPI
from redis.asyncio import Redis

from fleet_kit.testing import eventually
from fleet_kit.token_denylist import READY_KEY, entry_key
from signing_service.settings import SigningSettings

from .processes import ended, environment, free_port, running

Register = Callable[..., Any]


@pytest.fixture
def fresh(settings: SigningSettings, postgres_url: Callable[[str], str]) -> SigningSettings:
    """Settings with a database that nobody has used."""
    url = type(settings.database_url)(postgres_url("signing_fresh"))
    return settings.model_copy(update={"database_url": url})


async def test_an_empty_database_is_migrated_twice_and_the_api_started_twice(fresh: SigningSettings) -> None:
    port = free_port()
    env = environment(fresh, PORT=port)
    assert (await ended("signing_service.migrate", env))[0] == 0
    assert (await ended("signing_service.migrate", env))[0] == 0
    for _ in range(2):
        async with running("signing_service", port, env) as client:
            assert (await client.get("/health")).json() == {"status": "ok", "checks": {"postgres": "ok"}}
            document = (await client.get("/api/v1/signing/openapi.json")).json()
            assert {"/api/v1/auth/login", "/api/v1/users/auth", "/api/v1/users/"} <= set(document["paths"])
            assert not [path for path in document["paths"] if "internal" in path]
            login = {
                "email": fresh.platform_admin_email,
                "password": fresh.platform_admin_password.get_secret_value(),
            }
            tokens = (await client.post("/api/v1/auth/login", json=login)).json()
            headers = {"Authorization": f"Bearer {tokens['access_token']}"}
            users = (await client.get("/api/v1/users/", headers=headers)).json()
            assert [user["is_admin"] for user in users["items"]] == [True]


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PLATFORM_ADMIN_PASSWORD", "changeme"),
        ("DATABASE_URL", ""),
        ("SIGNING_KEY_FILE", "/nowhere/key.pem"),
        ("PLATFORM_ADMIN_EMAIL", "nobody"),
    ],
)
async def test_the_api_refuses_to_start_with_an_impossible_setting_and_names_it(
    settings: SigningSettings, variable: str, value: str
) -> None:
    code, errors = await ended("signing_service", environment(settings, **{variable: value}))
    assert code != 0
    assert variable.lower() in errors.lower()
    assert settings.amqp_url.get_secret_value() not in errors


async def test_the_api_refuses_to_start_without_a_key(settings: SigningSettings, tmp_path: Path) -> None:
    env = environment(settings)
    del env["SIGNING_KEY_FILE"]
    code, errors = await ended("signing_service", env)
    assert code != 0
    assert "signing_key_file" in errors
    empty = tmp_path / "empty.pem"
    empty.touch()
    code, errors = await ended("signing_service", environment(settings, SIGNING_KEY_FILE=empty))
    assert code == 1
    assert str(empty) in errors
    assert "Traceback" not in errors


@dataclass
class Heard:
    """Events on the broker, by type."""

    events: list[dict[str, Any]]

    def of(self, subject: str) -> list[str]:
        return [event["type"] for event in self.events if event["subject"] == subject]


@asynccontextmanager
async def listening(amqp_url: str) -> AsyncIterator[Heard]:
    heard = Heard([])

    async def keep(message: AbstractIncomingMessage) -> None:
        heard.events.append(orjson.loads(message.body))

    async with await aio_pika.connect(amqp_url) as connection:
        queue = await (await connection.channel()).declare_queue(exclusive=True)
        await queue.bind("fleet.events", "#")
        await queue.consume(keep, no_ack=True)
        yield heard


async def test_the_worker_tells_the_fleet_of_registrations_and_within_a_second_of_logouts(
    settings: SigningSettings, app: FastAPI, register: Register, amqp_url: str, redis: Redis
) -> None:
    port = free_port()
    env = environment(settings, WORKER_PORT=port)
    async with listening(amqp_url) as heard, running("signing_service.worker", port, env) as client:
        account = await register()

        async def told() -> bool:
            user, owner = account.user["id"], account.user["organization_id"]
            return heard.of(user) == ["user.created"] and heard.of(owner) == ["organization.created"]

        await eventually(told, timeout=90)
        principal = await app.state.verifier.verify(account.tokens["access_token"])
        await account.logout()

        async def revoked() -> bool:
            return heard.of(principal.session_id) == ["token.revoked"]

        await eventually(revoked)
        event = next(event for event in heard.events if event["subject"] == principal.session_id)
        assert event["organizationid"] == account.user["organization_id"]
        assert (event["data"]["jti"], event["data"]["sid"]) == (principal.token_id, principal.session_id)
        assert (await client.get("/metrics")).status_code == 200


async def test_the_worker_keeps_redis_complete_and_says_so_while_it_runs(
    settings: SigningSettings, app: FastAPI, register: Register, redis: Redis
) -> None:
    account = await register()
    principal = await app.state.verifier.verify(account.tokens["access_token"])
    await account.logout()
    port = free_port()

    async def complete() -> bool:
        return await redis.exists(READY_KEY, entry_key(principal.session_id)) == 2

    async with running("signing_service.worker", port, environment(settings, WORKER_PORT=port)):
        await eventually(complete, timeout=90)
        await redis.flushdb()
        await eventually(complete, timeout=90)

    async def silent() -> bool:
        return not await redis.exists(READY_KEY)

    await eventually(silent, timeout=90)
