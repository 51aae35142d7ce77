import asyncio
import hashlib
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from signing_service.settings import SigningSettings
from signing_service.users import service

from .conftest import PASSWORD, Account


async def test_registering_creates_an_organisation_and_its_admin_and_tells_the_fleet(
    register: Callable[..., Any], outbox: Callable[[str], Any]
) -> None:
    account = await register(organization_name="Pumps Ltd")
    assert account.user["role"] == "admin"
    assert not account.user["is_admin"]
    me = (await account.get("/auth/me")).json()
    assert me["organization_name"] == "Pumps Ltd"
    assert me["id"] == account.user["id"]
    assert await outbox(account.user["organization_id"]) == ["organization.created"]
    assert await outbox(account.user["id"]) == ["user.created"]


@pytest.mark.parametrize("path", ["/auth/register", "/users/add"])
async def test_both_path_names_register(client: httpx.AsyncClient, path: str) -> None:
    body = {"email": f"{uuid4().hex}@example.com", "password": PASSWORD}
    assert (await client.post(path, json=body)).status_code == 201


async def test_an_address_is_taken_whatever_its_case_and_also_for_two_at_once(
    client: httpx.AsyncClient,
) -> None:
    name = uuid4().hex
    bodies = [{"email": f"{name}@Example.COM", "password": PASSWORD} for _ in range(4)]
    answers = await asyncio.gather(*(client.post("/auth/register", json=body) for body in bodies))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    again = await client.post(
        "/auth/register", json={"email": f"{name.upper()}@example.com", "password": PASSWORD}
    )
    assert (again.status_code, again.json()["error"]["code"]) == (409, "EMAIL_TAKEN")


async def test_of_two_registrations_under_way_with_one_address_the_later_is_refused(
    client: httpx.AsyncClient, app: FastAPI
) -> None:
    """Two real transactions: neither sees the other's user before its own insert."""
    email = f"{uuid4().hex}@example.com"
    async with app.state.sessions() as session, session.begin():
        await service.register(session, "-", email, None)
        later = asyncio.create_task(
            client.post("/auth/register", json={"email": email, "password": PASSWORD})
        )
        done, _ = await asyncio.wait([later], timeout=1)
        assert not done
    answer = await later
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "EMAIL_TAKEN")


async def test_a_repeated_key_is_remembered_without_a_plain_hash_of_the_password(
    client: httpx.AsyncClient, app: FastAPI
) -> None:
    key, body = uuid4().hex, f'{{"email": "{uuid4().hex}@example.com", "password": "{PASSWORD}"}}'
    headers = {"Idempotency-Key": key, "Content-Type": "application/json"}
    assert (await client.post("/auth/register", content=body, headers=headers)).status_code == 201
    async with app.state.sessions() as session:
        query = text("SELECT fingerprint FROM t_idempotency_keys WHERE key = :key")
        fingerprint = await session.scalar(query, {"key": key})
    content = b"POST/api/v1/auth/register" + body.encode()
    assert fingerprint not in {hashlib.sha256(part).hexdigest() for part in (content, body.encode())}


async def test_health_names_postgres(client: httpx.AsyncClient) -> None:
    answer = await client.get("http://test/health")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "checks": {"postgres": "ok"}})


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"email": "nobody"}, "email"),
        ({"email": "a@b@c"}, "email"),
        ({"email": 7}, "email"),
        ({"email": None}, "email"),
        ({"email": "x" * 300 + "@example.com"}, "email"),
        ({"password": "short"}, "password"),
        ({"password": "x" * 129}, "password"),
        ({"organization_name": ""}, "organization_name"),
        ({"organization_name": "a\u0000b"}, "organization_name"),
        ({"organization_name": "a\u202eb"}, "organization_name"),
        ({"role": "admin"}, "role"),
        ({"is_admin": True}, "is_admin"),
    ],
)
async def test_bad_registrations_are_refused_naming_the_field(
    client: httpx.AsyncClient, change: dict[str, Any], field: str
) -> None:
    body = {"email": f"{uuid4().hex}@example.com", "password": PASSWORD} | change
    answer = await client.post("/auth/register", json=body)
    assert answer.status_code == 422
    assert answer.json()["error"]["details"]["fields"][0]["field"] == field
    assert PASSWORD not in answer.text


async def test_addresses_of_private_networks_are_accepted(register: Callable[..., Any]) -> None:
    account = await register(f"{uuid4().hex}@plant.local")
    assert account.user["email"].endswith("@plant.local")


async def test_a_repeated_idempotency_key_registers_once(client: httpx.AsyncClient) -> None:
    body = {"email": f"{uuid4().hex}@example.com", "password": PASSWORD}
    headers = {"Idempotency-Key": uuid4().hex}
    first = await client.post("/auth/register", json=body, headers=headers)
    second = await client.post("/auth/register", json=body, headers=headers)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    other = await client.post("/auth/register", json=body | {"password": PASSWORD + "2"}, headers=headers)
    assert other.json()["error"]["code"] == "IDEMPOTENCY_KEY_REUSED"


async def test_users_are_listed_for_their_own_organisation_only(register: Callable[..., Any]) -> None:
    mine, other = await register(), await register()
    listed = (await mine.get("/users/")).json()
    assert [user["id"] for user in listed["items"]] == [mine.user["id"]]
    assert listed["total"] == 1
    assert (await mine.get("/users/", search=other.user["email"])).json()["items"] == []
    assert (await mine.get("/users/", role="viewer")).json()["items"] == []
    assert (await mine.get("/users/", sort="shoe_size")).status_code == 422
    assert (await mine.get("/users/", page=0)).status_code == 422


async def test_another_organisation_does_not_exist(register: Callable[..., Any]) -> None:
    mine, other = await register(), await register()
    own = mine.user["organization_id"]
    assert (await mine.get(f"/organizations/{own}")).json()["id"] == own
    assert (await mine.get(f"/organizations/{other.user['organization_id']}")).status_code == 404
    assert [item["id"] for item in (await mine.get("/organizations")).json()["items"]] == [own]


async def test_the_platform_administrator_of_the_settings_sees_every_organisation(
    register: Callable[..., Any], platform_admin: Account
) -> None:
    account = await register()
    path = f"/organizations/{account.user['organization_id']}"
    assert (await platform_admin.get(path)).status_code == 200
    assert (await platform_admin.get("/auth/me")).json()["is_admin"] is True
    assert (await platform_admin.get("/users/")).json()["total"] > 1


async def test_users_are_listed_in_pages_by_number_and_by_cursor(
    client: httpx.AsyncClient, platform_admin: Account
) -> None:
    mark = uuid4().hex
    for number in range(5):
        body = {"email": f"{mark}{number}@example.com", "password": PASSWORD}
        assert (await client.post("/auth/register", json=body)).status_code == 201
    for sort in ("email", "-email", "created_at", "-created_at"):
        everything = {"page_size": 200, "sort": sort, "search": mark}
        whole = await platform_admin.get("/users/", **everything)
        seen: list[str] = []
        query: dict[str, Any] = {"page_size": 2, "sort": sort, "search": mark}
        while True:
            page = (await platform_admin.get("/users/", **query)).json()
            seen += [user["id"] for user in page["items"]]
            if page["next_cursor"] is None:
                break
            query["cursor"] = page["next_cursor"]
        assert seen == [user["id"] for user in whole.json()["items"]]
        numbered = {"page_size": 2, "page": 2, "sort": sort, "search": mark}
        second = await platform_admin.get("/users/", **numbered)
        assert [user["id"] for user in second.json()["items"]] == seen[2:4]
        broken = await platform_admin.get("/users/", cursor="WyJhIiwiYiJd", sort=sort)
        assert broken.status_code == 422


@pytest.mark.parametrize("mode", ["invited", "closed"])
@pytest.mark.parametrize("path", ["/auth/register", "/users/add"])
async def test_where_registration_is_not_open_only_the_platform_administrator_makes_accounts(
    app: FastAPI,
    client: httpx.AsyncClient,
    register: Callable[..., Any],
    platform_admin: Account,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    mode: str,
) -> None:
    member = await register()
    monkeypatch.setitem(app.state._state, "registration", mode)  # State itself is not restored
    body = {"email": f"{uuid4().hex}@example.com", "password": PASSWORD}
    nobody: dict[str, str] = {}
    for headers in (nobody, member.headers):
        refused = await client.post(path, json=body, headers=headers)
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "REGISTRATION_CLOSED")
    forged = await client.post(path, json=body, headers={"Authorization": "Bearer x"})
    assert forged.status_code == 401
    assert (await client.post("/auth/login", json=body)).status_code == 401
    made = await client.post(path, json=body, headers=platform_admin.headers)
    assert (made.status_code, made.json()["is_admin"]) == (201, False)
    mine = (await platform_admin.get("/auth/me")).json()["organization_id"]
    assert made.json()["organization_id"] != mine
    assert (await client.post("/auth/login", json=body)).status_code == 200


def test_a_service_that_is_told_nothing_lets_nobody_register(settings: SigningSettings) -> None:
    told = settings.model_dump(exclude={"registration"})
    assert SigningSettings.model_validate(told).registration == "closed"


async def test_strangers_that_choose_the_same_idempotency_key_do_not_meet(client: httpx.AsyncClient) -> None:
    key = {"Idempotency-Key": uuid4().hex}
    bodies = [{"email": f"{uuid4().hex}@example.com", "password": PASSWORD} for _ in range(2)]
    answers = [await client.post("/auth/register", json=body, headers=key) for body in bodies]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert [answer.json()["email"] for answer in answers] == [body["email"] for body in bodies]
