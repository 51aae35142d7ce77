"""The service on real servers: one database, one vhost and one Redis database for the session."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from asgi_lifespan import LifespanManager
from fastapi import FastAPI
from yarl import URL

from device_service.broker.telemetry_throttle import TelemetryThrottle
from device_service.consumers import EventsConsumer
from device_service.main import create
from device_service.migrate import MIGRATIONS
from device_service.presence.service import PresenceService
from device_service.settings import DeviceSettings
from device_service.sim_links.service import SimLinkService
from device_service.throttling.service import ThrottlingService
from fleet_contracts.events import FleetEvent, encode_event
from fleet_infra.testing import devices_vhost
from fleet_kit import migrate
from fleet_kit.consumer import Failure
from fleet_kit.event_handlers import on_event_batch
from fleet_kit.failure_router import Delivery
from fleet_kit.principal import Role
from fleet_kit.testing import TokenFactory

Handle = Callable[..., Awaitable[list[Failure]]]
"""Hands events, or bodies, to the consumer as one batch."""


@pytest.fixture(scope="session")
def amqp_url(make_amqp_url: Callable[[], str]) -> str:
    """A vhost that no other package's processes read from."""
    return make_amqp_url()


@pytest.fixture(scope="session")
def redis_url(make_redis_url: Callable[[], str]) -> str:
    """A Redis database that no other package empties."""
    return make_redis_url()


@pytest.fixture(scope="session")
async def settings(
    postgres_url: Callable[[str], str], redis_url: str, amqp_url: str, rabbitmq_management: httpx.Client
) -> DeviceSettings:
    database = postgres_url("device")
    await asyncio.to_thread(migrate.upgrade, MIGRATIONS, database)
    return DeviceSettings(
        environment="development",
        database_url=database,
        redis_url=redis_url,
        amqp_url=amqp_url,
        devices_vhost=devices_vhost(amqp_url),
        device_offline_after_seconds=60,
        publish_timeout_seconds=2,
        broker_management_url=str(rabbitmq_management.base_url).removesuffix("/api/"),
        broker_management_user=URL(amqp_url).user,
        broker_management_password=URL(amqp_url).password,
        log_level="WARNING",
    )


@pytest.fixture(scope="session")
def tokens() -> TokenFactory:
    return TokenFactory()


@pytest.fixture(scope="session")
async def app(settings: DeviceSettings, tokens: TokenFactory) -> AsyncIterator[FastAPI]:
    app = create(settings)
    async with LifespanManager(app):
        app.state.verifier = tokens.verifier()
        yield app


def client_of(app: FastAPI, headers: dict[str, str] | None = None) -> httpx.AsyncClient:
    """A client that sees a failure as its answer, as a real one does."""
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://device", headers=headers, timeout=30)


class Organization:
    """A new organisation, seen through a client of each role."""

    def __init__(self, app: FastAPI, tokens: TokenFactory) -> None:
        self.id: UUID = uuid4()
        self.viewer, self.operator, self.admin = (
            client_of(app, tokens.headers(self.id, role)) for role in Role
        )

    async def make_device(self, **fields: Any) -> dict[str, Any]:
        """A device with a name of its own unless one is given."""
        body = {"name": f"device-{uuid4()}", "type": "sensor"} | fields
        response = await self.operator.post("/api/v1/devices/", json=body)
        assert response.status_code == 201, response.text
        made: dict[str, Any] = response.json()
        return made

    async def close(self) -> None:
        for client in (self.viewer, self.operator, self.admin):
            await client.aclose()


@pytest.fixture
async def organization(app: FastAPI, tokens: TokenFactory) -> AsyncIterator[Organization]:
    made = Organization(app, tokens)
    yield made
    await made.close()


@pytest.fixture
async def stranger(app: FastAPI, tokens: TokenFactory) -> AsyncIterator[Organization]:
    """Another organisation, which must not see anything of the first."""
    made = Organization(app, tokens)
    yield made
    await made.close()


@pytest.fixture
async def anyone(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client without a token."""
    async with client_of(app) as client:
        yield client


@pytest.fixture
async def platform_admin(app: FastAPI, tokens: TokenFactory) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": f"Bearer {tokens.token(is_admin=True)}"}
    async with client_of(app, headers) as client:
        yield client


@pytest.fixture
def presence(app: FastAPI) -> PresenceService:
    return PresenceService(app.state.sessions, app.state.caches, offline_after_seconds=60)


@pytest.fixture
def handle(app: FastAPI, presence: PresenceService) -> Handle:
    """Hands events (or bodies) to the consumer as one batch."""
    throttling = ThrottlingService(app.state.sessions, TelemetryThrottle(app.state.redis), most_events=1000)
    consumer = EventsConsumer(presence, SimLinkService(app.state.sessions, app.state.caches), throttling)
    handler = on_event_batch(consumer.handle)

    async def run(*messages: FleetEvent | bytes) -> list[Failure]:
        return list(await handler([delivery(message) for message in messages]) or ())

    return run


def delivery(message: FleetEvent | bytes) -> Delivery:
    body = message if isinstance(message, bytes) else encode_event(message)
    return Delivery(body, "", None, {}, 0, datetime.now(UTC))
