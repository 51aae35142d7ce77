import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import orjson
import pytest
import socketio
from fastapi import FastAPI

from fleet_contracts.events import (
    DeviceData,
    DeviceDeleted,
    DeviceRef,
    DeviceRegistered,
    FleetEvent,
    encode_event,
)
from fleet_contracts.topology import telemetry_key
from fleet_infra.servers.ports import free_port
from fleet_infra.testing import devices_vhost
from fleet_kit.failure_router import Delivery
from fleet_kit.redis_client import open_redis
from fleet_kit.serve import server
from fleet_kit.testing import TokenFactory, eventually
from fleet_kit.token_denylist import READY_KEY
from monitoring_service.live.notifier import StoredNotifier
from monitoring_service.main import create
from monitoring_service.migrate import migrate
from monitoring_service.settings import Settings
from monitoring_service.store.client import Store, open_store
from monitoring_service.worker import Publishers, Worker

NOW = datetime.now(UTC).replace(microsecond=0)


def message(*readings: dict[str, Any], device: str, received_at: datetime | None = None) -> Delivery:
    """One telemetry message as the consumer hands it over."""
    body = orjson.dumps(list(readings))
    return Delivery(body, telemetry_key(device), None, {}, 0, received_at or datetime.now(UTC))


def registered(device: UUID, organization: UUID, version: int = 1, **more: Any) -> DeviceRegistered:
    return DeviceRegistered(
        source="test",
        subject=str(device),
        organizationid=organization,
        data=DeviceData(id=device, name=f"pump-{device}", type="pump", version=version, **more),
    )


def deleted(device: UUID, organization: UUID, version: int = 2) -> DeviceDeleted:
    return DeviceDeleted(
        source="test",
        subject=str(device),
        organizationid=organization,
        data=DeviceRef(id=device, version=version),
    )


@pytest.fixture(scope="session")
def amqp_url(make_amqp_url: Callable[[], str]) -> str:
    """A vhost that no other package's processes read from."""
    return make_amqp_url()


@pytest.fixture(scope="session")
def redis_url(make_redis_url: Callable[[], str]) -> str:
    """A Redis database that no other package empties."""
    return make_redis_url()


@pytest.fixture
def settings(
    mongo_url: str, make_mongo_database: Callable[[], str], redis_url: str, amqp_url: str
) -> Settings:
    values = {
        "mongo_url": mongo_url,
        "mongo_database": make_mongo_database(),
        "redis_url": redis_url,
        "amqp_url": amqp_url,
        "devices_vhost": devices_vhost(amqp_url),
        "port": free_port(),
        **dict.fromkeys(("signing_url", "device_url", "sim_url"), "http://127.0.0.1:9"),
        **{f"{name}_worker_url": "http://127.0.0.1:9" for name in ("signing", "device", "sim", "monitoring")},
        "live_slow_seconds": 1.5,
        "live_queue_packets": 4,
        "live_catch_up_readings": 5000,
    }
    return Settings.model_validate(values)


@pytest.fixture
async def store(settings: Settings) -> AsyncIterator[Store]:
    await migrate(settings)
    store = open_store(settings.mongo_url.get_secret_value(), settings.mongo_database)
    yield store
    store.close()


@pytest.fixture
async def worker(settings: Settings, store: Store) -> AsyncIterator[Worker]:
    """A worker whose consumers are called by the test itself."""
    redis = open_redis(settings.redis_url.get_secret_value())
    publishers = Publishers.of(settings)
    yield Worker(settings, store, publishers, StoredNotifier(redis))
    await publishers.close()
    await redis.aclose()


@dataclass
class Fleet:
    """The service under test: devices, stored readings, requests and live clients."""

    settings: Settings
    worker: Worker
    tokens: TokenFactory
    http: httpx.AsyncClient
    app: FastAPI
    organization: UUID = field(default_factory=uuid4)

    async def tell(self, *events: FleetEvent) -> None:
        deliveries = [
            Delivery(encode_event(event), event.type, None, {}, 0, datetime.now(UTC)) for event in events
        ]
        assert not await self.worker.consumers["consume events"].handler(deliveries)

    async def device(self, organization: UUID | None = None, **more: Any) -> str:
        device = uuid4()
        await self.tell(registered(device, organization or self.organization, **more))
        return str(device)

    async def store(self, *deliveries: Delivery) -> list[Any]:
        return list(await self.worker.consumers["consume telemetry"].handler(list(deliveries)) or ())

    async def readings(self, device: str, *values: float, start: datetime = NOW, step: float = 1) -> None:
        """Store one reading for each value, a step of seconds apart."""
        await self.store(
            message(
                *(
                    {
                        "id": f"r{number}",
                        "ts": (start + timedelta(seconds=number * step)).isoformat(),
                        "metrics": {"value": value},
                    }
                    for number, value in enumerate(values)
                ),
                device=device,
            )
        )

    async def get(self, path: str, organization: UUID | None = None, **query: Any) -> httpx.Response:
        headers = self.tokens.headers(organization or self.organization)
        return await self.http.get(f"/api/v1/monitoring{path}", params=query, headers=headers)

    async def items(self, path: str, **query: Any) -> list[dict[str, Any]]:
        answer = await self.get(path, **query)
        assert answer.status_code == 200, answer.text
        return list(answer.json()["items"])

    async def all_items(self, path: str, **query: Any) -> list[dict[str, Any]]:
        """The items of all pages, in their order."""
        found: list[dict[str, Any]] = []
        while True:
            answer = await self.get(path, **query)
            assert answer.status_code == 200, answer.text
            found += answer.json()["items"]
            if answer.json()["next_cursor"] is None:
                return found
            query["cursor"] = answer.json()["next_cursor"]


@pytest.fixture
async def fleet(settings: Settings, worker: Worker) -> AsyncIterator[Fleet]:
    app: Any = create(settings)
    inner = app._app.other_asgi_app
    instance = server(app, "127.0.0.1", settings.port, settings.trusted_proxies, websockets=True)
    task = asyncio.create_task(instance._serve())
    redis = open_redis(settings.redis_url.get_secret_value())
    await redis.set(READY_KEY, "1", ex=600)
    tokens = TokenFactory()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{settings.port}", timeout=60) as http:

        async def up() -> bool:
            return bool(instance.started)

        await eventually(up)
        inner.state.verifier._keys = tokens
        yield Fleet(settings, worker, tokens, http, inner)
    instance.should_exit = True
    await task
    await redis.aclose()


@dataclass
class Live:
    """A live client and what it got."""

    client: socketio.AsyncClient
    readings: list[dict[str, Any]] = field(default_factory=list)
    others: list[tuple[str, Any]] = field(default_factory=list)
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    def ids(self) -> list[str]:
        return [reading["id"] for reading in self.readings]

    async def subscribe(self, **what: Any) -> dict[str, Any]:
        answer: dict[str, Any] = await self.client.call("subscribe", what, timeout=10)
        return answer


@pytest.fixture
async def live(fleet: Fleet) -> AsyncIterator[Callable[..., Any]]:
    clients: list[socketio.AsyncClient] = []

    async def connect(organization: UUID | None = None, token: str | None = None) -> Live:
        client = socketio.AsyncClient(reconnection=False)
        clients.append(client)
        made = Live(client)

        async def telemetry(items: list[dict[str, Any]]) -> None:
            made.readings.extend(items)

        async def disconnected(*_: Any) -> None:
            made.gone.set()

        def keep(name: str) -> Callable[[Any], Any]:
            async def handler(item: Any) -> None:
                made.others.append((name, item))

            return handler

        client.on("telemetry", telemetry)
        client.on("disconnect", disconnected)
        for name in ("device", "sim", "alert", "gap"):
            client.on(name, keep(name))
        await client.connect(
            str(fleet.http.base_url),
            socketio_path="/ws/monitoring",
            transports=["websocket"],
            auth={"token": token or fleet.tokens.token(organization or fleet.organization)},
        )
        return made

    yield connect
    for client in clients:
        await client.disconnect()


@pytest.fixture(name="message")
def message_builder() -> Callable[..., Delivery]:
    return message


class Events:
    registered = staticmethod(registered)
    deleted = staticmethod(deleted)


@pytest.fixture
def events() -> type[Events]:
    return Events
