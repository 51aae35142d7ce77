import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from asgi_lifespan import LifespanManager
from fastapi import FastAPI
from pydantic import SecretStr
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy import text

from fleet_infra.testing import fill_redis
from fleet_kit.testing import eventually
from fleet_kit.token_denylist import READY_KEY, entry_key
from signing_service.auth.service import purge_refresh_tokens
from signing_service.denylist.service import DenylistReplicator
from signing_service.main import create
from signing_service.settings import SigningSettings

from .conftest import PASSWORD

Register = Callable[..., Any]


async def journey(client: httpx.AsyncClient) -> None:
    """Register, log in, log out, and be refused."""
    body = {"email": f"{uuid4().hex}@example.com", "password": PASSWORD}
    assert (await client.post("/auth/register", json=body)).status_code == 201
    wrong = await client.post("/auth/login", json=body | {"password": "wrong password"})
    assert wrong.status_code == 401
    tokens = (await client.post("/auth/login", json=body)).json()
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert (await client.get("/auth/me", headers=headers)).status_code == 200
    assert (await client.post("/auth/logout", headers=headers)).status_code == 204
    assert (await client.get("/auth/me", headers=headers)).status_code == 401


async def frozen() -> asyncio.Server:
    """A Redis that takes connections and never answers."""

    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    return await asyncio.start_server(swallow, "127.0.0.1", 0)


async def test_login_logout_and_checks_go_on_while_redis_is_away_or_frozen(
    settings: SigningSettings,
) -> None:
    async with await frozen() as server:
        for port in (9, server.sockets[0].getsockname()[1]):
            url = SecretStr(f"redis://127.0.0.1:{port}/0")
            app = create(settings.model_copy(update={"redis_url": url}))
            async with LifespanManager(app):
                transport = httpx.ASGITransport(app)
                async with (
                    httpx.AsyncClient(transport=transport, base_url="http://test/api/v1") as client,
                    asyncio.timeout(20),
                ):
                    await journey(client)


async def test_a_full_redis_loses_no_revocation_costs_no_login_and_is_not_called_ready(
    settings: SigningSettings, own_redis_url: str
) -> None:
    app = create(settings.model_copy(update={"redis_url": SecretStr(own_redis_url)}))
    async with LifespanManager(app):
        redis, sessions = app.state.redis, app.state.sessions
        copy, transport = DenylistReplicator(sessions, redis), httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test/api/v1") as client:
            await journey(client)
            await copy.refresh()
            held = set(await redis.keys("denylist:*"))
            assert READY_KEY.encode() in held
            fill_redis(own_redis_url)
            await journey(client)
        with pytest.raises(RedisError):
            await copy.refresh()
        await eventually(lambda: gone(redis, READY_KEY))
        assert set(await redis.keys("denylist:*")) == held - {READY_KEY.encode()}
        fill_redis(own_redis_url, full=False)
        await copy.refresh()
        assert len(await redis.keys("denylist:*")) == len(held) + 2


async def gone(redis: Redis, key: str) -> bool:
    return not await redis.exists(key)


async def test_a_logout_reaches_redis_at_once(register: Register, app: FastAPI, redis: Redis) -> None:
    account = await register()
    principal = await app.state.verifier.verify(account.tokens["access_token"])
    await account.logout()
    keys = [entry_key(principal.token_id), entry_key(principal.session_id)]
    assert await redis.exists(*keys) == 2
    remaining = (principal.expires_at - datetime.now(UTC)).total_seconds()
    assert await redis.ttl(keys[0]) >= remaining


async def test_redis_is_called_ready_only_with_every_revocation_in_it(
    register: Register, app: FastAPI, copy: DenylistReplicator, redis: Redis
) -> None:
    account = await register()
    principal = await app.state.verifier.verify(account.tokens["access_token"])
    await account.logout()
    await redis.flushdb()
    await copy.refresh()
    assert await redis.exists(READY_KEY, entry_key(principal.token_id)) == 2
    assert 0 < await redis.ttl(READY_KEY) <= 5
    assert not await redis.keys("denylist:copying:*")


async def test_old_revocations_come_back_after_redis_was_emptied_between_two_rounds(
    register: Register, app: FastAPI, copy: DenylistReplicator, redis: Redis
) -> None:
    account = await register()
    principal = await app.state.verifier.verify(account.tokens["access_token"])
    await account.logout()
    await backdate(app, principal.session_id)
    await copy.refresh()
    await redis.flushdb()
    await copy.refresh()
    assert await redis.exists(READY_KEY, entry_key(principal.session_id)) == 2


@pytest.mark.parametrize("complete", [False, True])
async def test_redis_emptied_in_the_middle_of_a_round_is_not_called_ready_without_its_entries(
    register: Register,
    app: FastAPI,
    copy: DenylistReplicator,
    redis: Redis,
    complete: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    account = await register()
    principal = await app.state.verifier.verify(account.tokens["access_token"])
    await account.logout()
    await backdate(app, principal.session_id)
    if complete:
        await copy.refresh()
    original = copy._copy

    async def emptied_after(newer_than: timedelta | None) -> None:
        await original(newer_than)
        monkeypatch.setattr(copy, "_copy", original)
        await redis.flushdb()

    monkeypatch.setattr(copy, "_copy", emptied_after)
    if complete:
        await copy.refresh()
    else:
        with pytest.raises(RedisError):
            await copy.refresh()
        assert not await redis.exists(READY_KEY)
        await copy.refresh()
    assert await redis.exists(READY_KEY, entry_key(principal.session_id)) == 2


async def backdate(app: FastAPI, identifier: str) -> None:
    async with app.state.sessions() as session, session.begin():
        statement = (
            "UPDATE t_blacklist_tokens SET created_at = now() - interval '1 hour' WHERE identifier = :id"
        )
        await session.execute(text(statement), {"id": identifier})


async def test_expired_revocations_and_refresh_tokens_are_purged_and_others_stay(
    register: Register, app: FastAPI, copy: DenylistReplicator
) -> None:
    old, recent, expired, other = [await register() for _ in range(4)]
    principals = [await app.state.verifier.verify(who.tokens["access_token"]) for who in (old, recent)]
    for who in (old, recent):
        await who.logout()
    async with app.state.sessions() as session, session.begin():
        for table, column, value in (
            ("t_blacklist_tokens", "identifier", principals[0].session_id),
            ("t_refresh_tokens", "user_id", expired.user["id"]),
        ):
            statement = f"UPDATE {table} SET expires_at = now() - interval '2 days' WHERE {column} = :value"
            await session.execute(text(statement), {"value": value})
        await purge_refresh_tokens(session)
    await copy.purge()
    async with app.state.sessions() as session:
        denied = set(await session.scalars(text("SELECT identifier FROM t_blacklist_tokens")))
        owners = set(await session.scalars(text("SELECT user_id FROM t_refresh_tokens")))
    assert principals[0].session_id not in denied
    assert {principals[1].session_id, principals[1].token_id} <= denied
    assert other.user["id"] in {str(owner) for owner in owners}
    assert expired.user["id"] not in {str(owner) for owner in owners}


async def test_the_internal_check_knows_the_truth(register: Register, app: FastAPI) -> None:
    account = await register()
    principal = await app.state.verifier.verify(account.tokens["access_token"])
    question = {"jti": principal.token_id, "sid": principal.session_id}
    url = "http://test/internal/tokens/check"
    assert (await account.client.post(url, json=question)).json() == {"revoked": False}
    await account.logout()
    assert (await account.client.post(url, json=question)).json() == {"revoked": True}
    assert (await account.client.post(url, json={"jti": "x"})).status_code == 422
