import ipaddress
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from asgi_lifespan import LifespanManager
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from fastapi import FastAPI
from redis.asyncio import Redis
from sqlalchemy import text

from fleet_kit import migrate
from fleet_kit.redis_client import open_redis
from signing_service.denylist.service import DenylistReplicator
from signing_service.main import create
from signing_service.migrate import MIGRATIONS
from signing_service.settings import SigningSettings

ADMIN = ("root@platform.example", "a-platform-password")
PASSWORD = "correct horse battery"


def make_key(file: Path) -> Path:
    private = ec.generate_private_key(ec.SECP256R1())
    file.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return file


@pytest.fixture(scope="session")
def amqp_url(make_amqp_url: Callable[[], str]) -> str:
    """A vhost that no other package's processes read from."""
    return make_amqp_url()


@pytest.fixture(scope="session")
def redis_url(make_redis_url: Callable[[], str]) -> str:
    """A Redis database that no other package empties."""
    return make_redis_url()


@pytest.fixture(scope="session")
def settings(
    postgres_url: Callable[[str], str],
    redis_url: str,
    amqp_url: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> SigningSettings:
    url = postgres_url("signing")
    migrate.upgrade(MIGRATIONS, url)
    return SigningSettings.model_validate(
        {
            "amqp_url": amqp_url,
            "redis_url": redis_url,
            "database_url": url,
            "signing_key_file": make_key(tmp_path_factory.mktemp("keys") / "key.pem"),
            "platform_admin_email": ADMIN[0],
            "platform_admin_password": ADMIN[1],
            "registration": "open",
            "registrations_per_day": 0,
            "login_failures_per_address_and_hour": 10_000,
        }
    )


@dataclass
class Account:
    """A registered user and its tokens."""

    client: httpx.AsyncClient
    user: dict[str, Any]
    tokens: dict[str, Any]

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens['access_token']}"}

    async def get(self, path: str, **query: Any) -> httpx.Response:
        return await self.client.get(path, params=query, headers=self.headers)

    async def refresh(self, token: str | None = None) -> httpx.Response:
        body = {"refresh_token": token or self.tokens["refresh_token"]}
        return await self.client.post("/auth/refresh", json=body)

    async def logout(self) -> httpx.Response:
        return await self.client.post("/auth/logout", headers=self.headers)


@pytest.fixture(scope="session")
async def app(settings: SigningSettings) -> AsyncIterator[FastAPI]:
    app = create(settings)
    async with LifespanManager(app):
        yield app


def client_from(app: FastAPI, address: str = "127.0.0.1") -> httpx.AsyncClient:
    """A client at that address, whatever headers it sends."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=(address, 40_000))
    return httpx.AsyncClient(transport=transport, base_url="http://test/api/v1")


@asynccontextmanager
async def changed_app(settings: SigningSettings, **changes: Any) -> AsyncIterator[FastAPI]:
    """An application of its own with other settings, on the same database."""
    app = create(settings.model_copy(update=changes))
    async with LifespanManager(app):
        yield app


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """At an address of its own: what other tests do wrong is not counted against this one."""
    address = ipaddress.IPv4Address("10.0.0.0") + secrets.randbits(24)
    async with client_from(app, str(address)) as client:
        yield client


@pytest.fixture
def register(client: httpx.AsyncClient) -> Callable[..., Any]:
    async def make(email: str | None = None, **more: Any) -> Account:
        email = email or f"{uuid4().hex}@example.com"
        answer = await client.post("/auth/register", json={"email": email, "password": PASSWORD, **more})
        assert answer.status_code == 201, answer.text
        tokens = await client.post("/auth/login", json={"email": email, "password": PASSWORD})
        assert tokens.status_code == 200, tokens.text
        return Account(client, answer.json(), tokens.json())

    return make


@pytest.fixture
async def platform_admin(client: httpx.AsyncClient) -> Account:
    answer = await client.post("/auth/login", json={"email": ADMIN[0], "password": ADMIN[1]})
    return Account(client, {}, answer.json())


@pytest.fixture
def outbox(app: FastAPI) -> Callable[[str], Any]:
    """Events saved for a subject, oldest first."""

    async def events(subject: str) -> list[str]:
        async with app.state.sessions() as session:
            rows = await session.execute(
                text("SELECT type FROM t_outbox WHERE aggregate = :subject ORDER BY id"), {"subject": subject}
            )
            return [row.type for row in rows]

    return events


@pytest.fixture
async def redis(settings: SigningSettings) -> AsyncIterator[Redis]:
    """The service's Redis."""
    client = open_redis(settings.redis_url.get_secret_value())
    yield client
    await client.aclose()


@pytest.fixture
async def copy(app: FastAPI, redis: Redis) -> DenylistReplicator:
    """The worker's copying, onto an empty Redis."""
    await redis.flushdb()
    return DenylistReplicator(app.state.sessions, redis)
