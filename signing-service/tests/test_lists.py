from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from fastapi import FastAPI

from signing_service.organizations.models import Organization
from signing_service.users.models import User

from .conftest import Account

Register = Callable[..., Any]


@pytest.fixture
async def crowd(register: Register, app: FastAPI) -> Account:
    """An admin whose organisation has six more users."""
    account: Account = await register()
    async with app.state.sessions() as session, session.begin():
        for number in range(6):
            session.add(
                User(
                    organization_id=account.user["organization_id"],
                    email=f"{'bdface'[number]}_{uuid4().hex}@example.com",
                    password_hash="-",
                    role="viewer" if number % 2 else "operator",
                    is_admin=False,
                )
            )
    return account


async def walked(account: Account, path: str, **query: Any) -> list[dict[str, Any]]:
    """All items, page by page along the cursors."""
    page = (await account.get(path, page_size=2, **query)).json()
    items = list(page["items"])
    while page["next_cursor"] is not None:
        page = (await account.get(path, page_size=2, cursor=page["next_cursor"], **query)).json()
        assert (page["total"], page["page"]) == (None, None)
        items += page["items"]
    return items


@pytest.mark.parametrize("sort", ["email", "-email", "created_at", "-created_at"])
async def test_cursors_lead_through_every_user_once_in_order(crowd: Account, sort: str) -> None:
    items = await walked(crowd, "/users/", sort=sort)
    keys = [(item[sort.removeprefix("-")], item["id"]) for item in items]
    assert len(set(keys)) == 7
    assert keys == sorted(keys, reverse=sort.startswith("-"))


async def test_pages_by_number_count_and_end(crowd: Account) -> None:
    pages = [(await crowd.get("/users/", page=number, page_size=3)).json() for number in (1, 2, 3, 4)]
    assert [len(page["items"]) for page in pages] == [3, 3, 1, 0]
    assert {page["total"] for page in pages} == {7}
    assert [page["page"] for page in pages] == [1, 2, 3, 4]
    assert len({item["id"] for page in pages for item in page["items"]}) == 7


async def test_users_are_filtered_by_role_and_searched_by_address(crowd: Account) -> None:
    viewers = (await crowd.get("/users/", role="viewer")).json()
    assert {item["role"] for item in viewers["items"]} == {"viewer"}
    assert viewers["total"] == 3
    found = (await crowd.get("/users/", search="A_")).json()["items"]
    assert [item["email"][:2] for item in found] == ["a_"]
    assert (await crowd.get("/users/", search="%")).json()["items"] == []


@pytest.mark.parametrize("path", ["/users/", "/organizations"])
@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"page": 0}, "page"),
        ({"page": "x"}, "page"),
        ({"page": 10**12}, "page"),
        ({"page": 900_000, "page_size": 200}, "page"),
        ({"page_size": 0}, "page_size"),
        ({"page_size": 201}, "page_size"),
        ({"sort": "shoe_size"}, "sort"),
        ({"search": "a\x00b"}, "search"),
        ({"search": "x" * 300}, "search"),
        ({"cursor": "x"}, "cursor"),
        ({"cursor": "é"}, "cursor"),
        ({"cursor": "W10"}, "cursor"),
        ({"cursor": "WzEsMiwzXQ"}, "cursor"),
        ({"cursor": "WyJjcmVhdGVkX2F0IiwiMjAyNi0wMS0wMSIsIngiXQ"}, "cursor"),
        ({"cursor": "WyJjcmVhdGVkX2F0IiwiMjAyNi0wMS0wMVQwMDowMDowMFoiLDddCg"}, "cursor"),
    ],
)
async def test_impossible_pages_are_refused_naming_the_parameter(
    crowd: Account, path: str, query: dict[str, Any], field: str
) -> None:
    answer = await crowd.get(path, **query)
    assert answer.status_code == 422, answer.text
    assert answer.json()["error"]["details"]["fields"][0]["field"] == field


async def test_a_cursor_of_another_order_is_refused(crowd: Account) -> None:
    cursor = (await crowd.get("/users/", page_size=2)).json()["next_cursor"]
    assert (await crowd.get("/users/", cursor=cursor, sort="email")).status_code == 422


async def test_a_cursor_shows_no_other_organisation(crowd: Account, register: Register) -> None:
    other = await register()
    cursor = (await crowd.get("/users/", page_size=2)).json()["next_cursor"]
    items = (await other.get("/users/", cursor=cursor)).json()["items"]
    assert {item["organization_id"] for item in items} <= {other.user["organization_id"]}


async def test_the_platform_administrator_pages_and_searches_all_organisations(
    platform_admin: Account, app: FastAPI
) -> None:
    mark = uuid4().hex
    async with app.state.sessions() as session, session.begin():
        session.add_all(Organization(name=f"{mark} {number}") for number in range(5))
    items = await walked(platform_admin, "/organizations", search=mark.upper(), sort="-name")
    assert [item["name"] for item in items] == [f"{mark} {number}" for number in (4, 3, 2, 1, 0)]
    assert (await platform_admin.get("/organizations")).json()["total"] > 5
