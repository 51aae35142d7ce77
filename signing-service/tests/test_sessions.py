import asyncio
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI

from fleet_kit.denylist import entry_key, open_redis
from signing_service.denylist.service import DenylistCopy
from signing_service.settings import SigningSettings

Register = Callable[..., Any]
PASSWORD = "correct horse battery"


async def verified(account: Any, token: str | None = None) -> bool:
    body = {"token": token or account.tokens["access_token"]}
    return bool((await account.client.post("/users/verify-token", json=body)).json()["valid"])


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


async def test_a_refresh_token_is_used_once_and_replaced(register: Register) -> None:
    account = await register()
    second = (await account.refresh()).json()
    assert second["refresh_token"] != account.tokens["refresh_token"]
    assert await verified(account, second["access_token"])
    third = await account.refresh(second["refresh_token"])
    assert third.status_code == 200


async def test_a_refresh_token_used_twice_ends_the_whole_session(register: Register) -> None:
    account = await register()
    second = (await account.refresh()).json()
    again = await account.refresh()
    assert (again.status_code, again.json()["error"]["code"]) == (401, "REFRESH_TOKEN_INVALID")
    assert (await account.refresh(second["refresh_token"])).status_code == 401
    assert not await verified(account)
    assert not await verified(account, second["access_token"])


async def test_of_two_who_use_a_refresh_token_at_once_only_one_gets_a_pair(register: Register) -> None:
    account = await register()
    answers = await asyncio.gather(*(account.refresh() for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401, 401]


@pytest.mark.parametrize("token", ["rt_unknown", "x", "é", "a" * 200])
async def test_unknown_refresh_tokens_are_refused(client: httpx.AsyncClient, token: str) -> None:
    assert (await client.post("/auth/refresh", json={"refresh_token": token})).status_code == 401


@pytest.mark.parametrize("path", ["/auth/logout", "/users/logout"])
async def test_logout_ends_the_session_everywhere_and_tells_the_fleet(
    register: Register, outbox: Callable[[str], Any], app: FastAPI, path: str
) -> None:
    account = await register()
    principal = await app.state.verifier.verify(account.tokens["access_token"])
    assert (await account.client.post(path, headers=account.headers)).status_code == 204
    assert (await account.get("/auth/me")).json()["error"]["code"] == "TOKEN_REVOKED"
    assert not await verified(account)
    assert (await account.refresh()).status_code == 401
    assert (await account.client.post(path, headers=account.headers)).status_code == 401
    assert await outbox(principal.session_id) == ["token.revoked"]


async def test_logging_out_of_one_session_leaves_the_others(register: Register) -> None:
    account = await register()
    login = {"email": account.user["email"], "password": PASSWORD}
    other = (await account.client.post("/auth/login", json=login)).json()
    await account.logout()
    assert await verified(account, other["access_token"])


async def test_login_logout_and_checks_go_on_while_redis_is_away(settings: SigningSettings) -> None:
    from asgi_lifespan import LifespanManager
    from pydantic import SecretStr

    from signing_service.main import create

    away = settings.model_copy(update={"redis_url": SecretStr("redis://127.0.0.1:9/0")})
    app = create(away)
    async with LifespanManager(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test/api/v1") as client:
            body = {"email": f"{uuid4().hex}@example.com", "password": PASSWORD}
            await client.post("/auth/register", json=body)
            tokens = (await client.post("/auth/login", json=body)).json()
            headers = {"Authorization": f"Bearer {tokens['access_token']}"}
            assert (await client.post("/auth/logout", headers=headers)).status_code == 204
            assert (await client.get("/auth/me", headers=headers)).status_code == 401


async def test_what_was_revoked_while_redis_was_away_is_copied_before_redis_is_believed(
    register: Register, app: FastAPI, copy: DenylistCopy, settings: SigningSettings
) -> None:
    account = await register()
    principal = await app.state.verifier.verify(account.tokens["access_token"])
    await account.logout()
    redis = open_redis(settings.redis_url.get_secret_value())
    await redis.flushdb()
    assert not await redis.exists("denylist:ready")
    await copy.refresh()
    assert await redis.exists("denylist:ready", entry_key(principal.token_id)) == 2
    assert 0 < await redis.ttl("denylist:ready") <= 5
    other = await register()
    await other.logout()
    await redis.delete(*[entry_key(name) async for name in _identifiers(app)])
    await copy.refresh()
    assert await redis.exists(entry_key(principal.token_id))
    await redis.aclose()


async def _identifiers(app: FastAPI) -> Any:
    from signing_service.denylist.repository import DenylistRepository

    async with app.state.sessions() as session:
        for row in await DenylistRepository(session).unexpired():
            yield row.identifier


async def test_the_internal_check_knows_the_truth(register: Register, app: FastAPI) -> None:
    account = await register()
    principal = await app.state.verifier.verify(account.tokens["access_token"])
    question = {"jti": principal.token_id, "sid": principal.session_id}
    url = "http://test/internal/tokens/check"
    assert (await account.client.post(url, json=question)).json() == {"revoked": False}
    await account.logout()
    assert (await account.client.post(url, json=question)).json() == {"revoked": True}
    assert (await account.client.post(url, json={"jti": "x"})).status_code == 422


async def test_verify_token_tells_what_a_token_says(register: Register) -> None:
    account = await register()
    body = {"token": account.tokens["access_token"]}
    answer = (await account.client.post("/users/verify-token", json=body)).json()
    assert answer["valid"] is True
    assert (answer["sub"], answer["organization_id"]) == (account.user["id"], account.user["organization_id"])
    assert answer["role"] == "admin"
    for garbage in ("x", "a.b.c"):
        answer = (await account.client.post("/users/verify-token", json={"token": garbage})).json()
        assert answer == {"valid": False}
