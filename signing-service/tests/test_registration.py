import asyncio
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import httpx
import pytest

PASSWORD = "correct horse battery"


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
    register: Callable[..., Any], client: httpx.AsyncClient
) -> None:
    account = await register()
    login = {"email": "root@platform.example", "password": "a-platform-password"}
    token = (await client.post("/auth/login", json=login)).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    path = f"/organizations/{account.user['organization_id']}"
    assert (await client.get(path, headers=headers)).status_code == 200
    assert (await client.get("/auth/me", headers=headers)).json()["is_admin"] is True
    assert (await client.get("/users/", headers=headers)).json()["total"] > 1
