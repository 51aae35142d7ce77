import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import httpx
import pytest
from fastapi import FastAPI, Request
from pydantic import ValidationError

from fleet_kit.client_address import client_address
from fleet_kit.serve import server
from fleet_kit.settings import ServiceSettings
from fleet_kit.testing import eventually


async def seen(host: str) -> str:
    scope = {"type": "http", "headers": [], "client": (host, 1)}
    return client_address(scope)


@pytest.mark.parametrize(
    ("host", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:0:1::7", "2001:db8:0:1::/64"),
        ("2001:db8:0:1:ffff:ffff:ffff:ffff", "2001:db8:0:1::/64"),
        ("2001:db8:0:2::7", "2001:db8:0:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("nonsense", "nonsense"),
    ],
)
async def test_an_address_is_counted_alone_and_of_ipv6_the_whole_64(host: str, counted: str) -> None:
    assert await seen(host) == counted


@asynccontextmanager
async def told(trusted_proxies: Sequence[str]) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a server that answers with the client's address."""
    app = FastAPI()

    @app.get("/")
    async def address(request: Request) -> str:
        return client_address(request.scope)

    serving = server(app, "127.0.0.1", 0, trusted_proxies)
    task = asyncio.create_task(serving.serve())

    async def started() -> bool:
        return serving.started

    await eventually(started)
    port = serving.servers[0].sockets[0].getsockname()[1]
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        yield client
    serving.should_exit = True
    await task


@pytest.mark.parametrize(
    ("trusted", "address"),
    [
        (["127.0.0.1"], "192.0.2.7"),
        (["127.0.0.0/8"], "192.0.2.7"),
        ([], "127.0.0.1"),
        (["192.0.2.0/24"], "127.0.0.1"),
    ],
)
async def test_only_a_trusted_proxy_says_who_the_client_is(trusted: list[str], address: str) -> None:
    claim = {"X-Forwarded-For": "192.0.2.7", "X-Real-IP": "192.0.2.8", "Forwarded": "for=192.0.2.9"}
    async with told(trusted) as client:
        assert (await client.get("/", headers=claim)).json() == address


def test_a_proxy_that_is_no_network_is_refused() -> None:
    with pytest.raises(ValidationError, match="trusted_proxies"):
        ServiceSettings.model_validate(
            {"amqp_url": "amqp://x:y@z/", "redis_url": "redis://x", "trusted_proxies": ["gateway"]}
        )
