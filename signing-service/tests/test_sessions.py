import asyncio
from collections.abc import Callable
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from signing_service.auth.authentication import AuthenticatedUser
from signing_service.auth.schemas import TokenPair
from signing_service.auth.service import SessionBounds, SessionService
from signing_service.settings import SigningSettings

from .conftest import PASSWORD

Register = Callable[..., Any]


async def verified(account: Any, token: str | None = None) -> bool:
    body = {"token": token or account.tokens["access_token"]}
    return bool((await account.client.post("/users/verify-token", json=body)).json()["valid"])


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


async def test_a_session_that_ends_takes_along_the_token_that_is_just_being_made(
    register: Register, app: FastAPI
) -> None:
    """Two real transactions: the end has to wait for a refresh under way, and then end its token as well."""
    account = await register()
    first = account.tokens["refresh_token"]
    second = (await account.refresh()).json()["refresh_token"]
    async with app.state.sessions() as session, session.begin():
        service = SessionService(session, app.state.redis, app.state.issuer, app.state.session_bounds)
        third = await service.refresh(second)
        assert isinstance(third, TokenPair)
        stolen = asyncio.create_task(account.refresh(first))
        done, _ = await asyncio.wait([stolen], timeout=0.5)
        assert not done
    assert (await stolen).status_code == 401
    assert (await account.refresh(third.refresh_token)).status_code == 401


async def test_an_expired_refresh_token_is_refused_without_ending_the_session(
    register: Register, app: FastAPI
) -> None:
    account = await register()
    async with app.state.sessions() as session, session.begin():
        await session.execute(
            text("UPDATE t_refresh_tokens SET expires_at = now() WHERE user_id = :id"),
            {"id": account.user["id"]},
        )
    assert (await account.refresh()).status_code == 401
    assert await verified(account)


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
    assert (await account.client.post(path, headers=account.headers)).status_code == 204
    assert await outbox(principal.session_id) == ["token.revoked"]


async def test_logout_by_refresh_token_works_after_the_access_token_has_expired(register: Register) -> None:
    account = await register()
    body = {"refresh_token": account.tokens["refresh_token"]}
    assert (await account.client.post("/auth/logout", json=body)).status_code == 204
    assert not await verified(account)
    assert (await account.refresh()).status_code == 401
    assert (await account.client.post("/auth/logout", json=body)).status_code == 204
    unknown = {"refresh_token": "rt_unknown"}
    assert (await account.client.post("/auth/logout", json=unknown)).status_code == 204


async def test_logout_needs_a_token_and_knows_its_fields(register: Register) -> None:
    account = await register()
    assert (await account.client.post("/auth/logout")).status_code == 401
    garbage = {"Authorization": "Bearer garbage"}
    assert (await account.client.post("/auth/logout", headers=garbage)).status_code == 401
    body = {"everywhere": True}
    answer = await account.client.post("/auth/logout", json=body, headers=account.headers)
    assert answer.status_code == 422
    assert await verified(account)


async def test_logging_out_of_one_session_leaves_the_others(register: Register) -> None:
    account = await register()
    login = {"email": account.user["email"], "password": PASSWORD}
    other = (await account.client.post("/auth/login", json=login)).json()
    await account.logout()
    assert await verified(account, other["access_token"])


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


async def tokens_of(app: FastAPI, account: Any) -> int:
    """Rows that the database keeps for the account's sessions."""
    async with app.state.sessions() as session:
        query = text("SELECT count(*) FROM t_refresh_tokens WHERE user_id = :id")
        return int(await session.scalar(query, {"id": account.user["id"]}) or 0)


async def test_a_user_has_so_many_sessions_and_the_one_unused_for_longest_ends(
    register: Register, app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(app.state._state, "session_bounds", SessionBounds(per_user=3, tokens_each=100))
    account = await register()
    login = {"email": account.user["email"], "password": PASSWORD}
    others = [(await account.client.post("/auth/login", json=login)).json() for _ in range(2)]
    kept = (await account.refresh()).json()  # so that the first of the three was used last
    for _ in range(2):
        assert (await account.client.post("/auth/login", json=login)).status_code == 200
    for ended in others:
        assert not await verified(account, ended["access_token"])
        assert (await account.refresh(ended["refresh_token"])).status_code == 401
    assert await verified(account, kept["access_token"])
    assert (await account.refresh(kept["refresh_token"])).status_code == 200


async def test_logins_all_at_once_do_not_pass_the_bound(
    register: Register, app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(app.state._state, "session_bounds", SessionBounds(per_user=2, tokens_each=100))
    account = await register()
    user_id = UUID(account.user["id"])

    async def start() -> None:
        async with app.state.sessions() as session, session.begin():
            sessions = SessionService(session, app.state.redis, app.state.issuer, app.state.session_bounds)
            await sessions.start(AuthenticatedUser(user_id, None, {}))

    await asyncio.gather(*(start() for _ in range(6)))
    assert await tokens_of(app, account) == 2


async def test_logging_in_and_out_over_and_over_leaves_nothing_behind(
    register: Register, app: FastAPI
) -> None:
    account = await register()
    login = {"email": account.user["email"], "password": PASSWORD}
    for _ in range(3):
        tokens = (await account.client.post("/auth/login", json=login)).json()
        body = {"refresh_token": tokens["refresh_token"]}
        assert (await account.client.post("/auth/logout", json=body)).status_code == 204
    assert await tokens_of(app, account) == 1


async def test_a_session_that_refreshes_without_end_is_ended(
    register: Register, app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(app.state._state, "session_bounds", SessionBounds(per_user=3, tokens_each=5))
    account = await register()
    pair = account.tokens
    for _ in range(3):
        pair = (await account.refresh(pair["refresh_token"])).json()
    assert await tokens_of(app, account) == 4
    assert (await account.refresh(account.tokens["refresh_token"])).status_code == 401  # a theft still shows
    assert not await verified(account, pair["access_token"])

    login = {"email": account.user["email"], "password": PASSWORD}
    pair = (await account.client.post("/auth/login", json=login)).json()
    for _ in range(4):
        pair = (await account.refresh(pair["refresh_token"])).json()
    refused = await account.refresh(pair["refresh_token"])
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "REFRESH_TOKEN_INVALID")
    assert not await verified(account, pair["access_token"])
    assert await tokens_of(app, account) == 0


@pytest.mark.parametrize(("minutes", "days", "most"), [(30, 7, 1536), (1, 7, 46_080), (1440, 1, 100)])
def test_a_session_may_refresh_four_times_as_often_as_it_has_to(
    settings: SigningSettings, minutes: float, days: float, most: int
) -> None:
    changed = settings.model_copy(update={"access_token_minutes": minutes, "refresh_token_days": days})
    assert changed.refresh_tokens_per_session == most
