"""Who shows a false credential is limited like who shows none, by address; who is proved is not."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import httpx
import pytest
from asgi_lifespan import LifespanManager
from fastapi import APIRouter, FastAPI
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from fleet_kit.app import create_app
from fleet_kit.principal import CurrentUser
from fleet_kit.settings import ServiceSettings
from fleet_kit.testing import TokenFactory

pytestmark = pytest.mark.attack

BURST = 20
MINE, OTHER = "192.0.2.1", "192.0.2.2"
router = APIRouter()
tokens = TokenFactory()


@router.get("/me")
async def me(user: CurrentUser) -> None: ...


@router.get("/open")
async def public() -> None: ...


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.verifier = tokens.verifier()
        yield

    settings = ServiceSettings.model_validate(
        {
            "amqp_url": "amqp://user:real@127.0.0.1",
            "redis_url": "redis://127.0.0.1",
            "unproved_requests_per_second": 0.001,
            "unproved_requests_burst": BURST,
        }
    )
    app = create_app(
        service="test", settings=settings, routers=[router], lifespan=lifespan, checks=lambda _: {}
    )
    async with LifespanManager(app) as running:
        # As `serve` does with what the gateway says.
        behind_proxy: Any = ProxyHeadersMiddleware(cast(Any, running.app), trusted_hosts="127.0.0.1")
        transport = httpx.ASGITransport(behind_proxy)
        async with httpx.AsyncClient(transport=transport, base_url="http://test/api/v1") as client:
            yield client


async def statuses(
    client: httpx.AsyncClient, path: str, *authorizations: str, address: str | None = MINE
) -> Counter[int]:
    seen: Counter[int] = Counter()
    for authorization in authorizations:
        headers = {"Authorization": authorization} | (through_gateway(address) if address else {})
        seen[(await client.get(path, headers=headers)).status_code] += 1
    return seen


def through_gateway(address: str) -> dict[str, str]:
    return dict.fromkeys(("X-Real-IP", "X-Forwarded-For"), address)


def made_up(number: int) -> list[str]:
    return [f"Bearer a.b.{n}" for n in range(number)]


@pytest.mark.parametrize(("path", "let_through"), [("/me", 401), ("/open", 200)])
async def test_made_up_credentials_share_the_allowance_of_their_address(
    client: httpx.AsyncClient, path: str, let_through: int
) -> None:
    assert await statuses(client, path, *made_up(30)) == {let_through: BURST, 429: 10}
    refused = await client.get(path, headers=through_gateway(MINE))
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    assert refused.json()["error"]["code"] == "RATE_LIMITED"
    assert await statuses(client, path, *made_up(3), address=OTHER) == {let_through: 3}


async def test_who_is_proved_pays_neither_for_itself_nor_for_its_neighbour(client: httpx.AsyncClient) -> None:
    good = tokens.headers()["Authorization"]
    assert await statuses(client, "/me", *[good] * 60) == {200: 60}
    await statuses(client, "/me", *made_up(30))
    assert await statuses(client, "/me", *[good] * 60) == {200: 60}


async def test_many_good_credentials_behind_one_address_cost_nothing(client: httpx.AsyncClient) -> None:
    good = [tokens.headers()["Authorization"] for _ in range(60)]
    assert await statuses(client, "/me", *good, *good) == {200: 120}


async def test_a_credential_that_is_good_no_longer_is_limited_again(client: httpx.AsyncClient) -> None:
    good = tokens.headers()["Authorization"]
    assert await statuses(client, "/me", good) == {200: 1}
    principal = await tokens.verifier().verify(good.removeprefix("Bearer "))
    tokens.denylist.revoked.add(principal.token_id)
    assert await statuses(client, "/me", *[good] * 30) == {401: BURST, 429: 10}


async def test_what_did_not_come_through_the_gateway_is_not_limited(client: httpx.AsyncClient) -> None:
    assert await statuses(client, "/me", *made_up(60), address=None) == {401: 60}
