"""What tests across services share: people, devices, live listeners, and a hand on processes."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import aio_pika
import aiomqtt
import httpx
import pytest
import socketio

from fleet_infra.layout import Layout
from fleet_infra.supervisor import Supervisor
from fleet_infra.testing_fleet import scratch_fleet
from fleet_kit.testing import eventually

from .sim_support import Carrier

PASSWORD = "correct horse battery"


@dataclass
class Device:
    """A registered device: it publishes, over whatever door."""

    fleet: dict[str, Any]
    id: str
    key: str

    def http(self, *, key: str | None = None) -> httpx.AsyncClient:
        headers = {"Authorization": f"Device {self.id}:{key or self.key}"}
        return httpx.AsyncClient(base_url=f"{self.fleet['gateway_url']}/api/v1", headers=headers, timeout=60)

    async def over_http(self, body: Any, *, key: str | None = None) -> httpx.Response:
        async with self.http(key=key) as http:
            return await http.post(f"/devices/{self.id}/telemetry", json=body)

    def mqtt(self, *, key: str | None = None) -> aiomqtt.Client:
        return aiomqtt.Client(
            self.fleet["mqtt_host"],
            self.fleet["mqtt_port"],
            username=self.id,
            password=key or self.key,
            identifier=f"test-{uuid4().hex[:12]}",
            timeout=60,
        )

    async def over_mqtt(self, *bodies: Any, key: str | None = None) -> None:
        async with self.mqtt(key=key) as client:
            for body in bodies:
                payload = body if isinstance(body, bytes) else json.dumps(body)
                await client.publish(f"devices/{self.id}/telemetry", payload, qos=1)

    async def over_amqp(self, body: Any, url: str) -> None:
        """Published for the device by whoever the address logs in."""
        connection = await aio_pika.connect(url, timeout=60)
        async with connection:
            channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
            exchange = await channel.get_exchange("amq.topic", ensure=False)
            message = aio_pika.Message(json.dumps(body).encode())
            await exchange.publish(message, f"devices.{self.id}.telemetry", timeout=60)


@dataclass
class Person:
    """A logged-in user."""

    fleet: dict[str, Any]
    http: httpx.AsyncClient
    email: str
    organization_id: str
    tokens: dict[str, str]

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens['access_token']}"}

    async def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        return await self.http.request(method, path, headers=self.headers, **options)

    async def get(self, path: str, **query: Any) -> Any:
        answer = await self.call("GET", path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def device(self, **more: Any) -> Device:
        """A new device that monitoring-service knows already."""
        answer = await self.call("POST", "/devices/", json={"name": uuid4().hex, "type": "pump", **more})
        assert answer.status_code == 201, answer.text
        made = answer.json()

        async def known() -> bool:
            path = f"/monitoring/data/{made['id']}"
            return (await self.call("GET", path)).status_code == 200

        await eventually(known, timeout=90)
        return Device(self.fleet, made["id"], made["key"])

    async def stored(self, device: Device) -> list[dict[str, Any]]:
        """Every reading of a device that the API shows, over all pages."""
        items: list[dict[str, Any]] = []
        cursor = None
        while True:
            query = {"page_size": 200} | ({"cursor": cursor} if cursor else {})
            page = await self.get(f"/monitoring/data/{device.id}", **query)
            items += page["items"]
            cursor = page["next_cursor"]
            if not cursor:
                return items


@dataclass
class Listener:
    """A live client: what it was told, by event."""

    client: socketio.AsyncClient
    readings: list[dict[str, Any]] = field(default_factory=list)
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    def ids(self) -> list[str]:
        return [reading["id"] for reading in self.readings]

    async def subscribe(self, **what: Any) -> dict[str, Any]:
        answer: dict[str, Any] = await self.client.call("subscribe", what, timeout=60)
        return answer


@dataclass(frozen=True)
class Control:
    """A hand on the processes of a fleet under its supervisor."""

    home: Path

    @property
    def supervisor(self) -> Supervisor:
        return Supervisor(Layout(Layout.of_clone().root, self.home))

    def pid(self, name: str) -> int:
        return int((self.home / "pids" / f"{name}.pid").read_text())

    async def kill(self, name: str) -> None:
        """kill -9, once it runs; the supervisor starts it again."""

        async def killed() -> bool:
            try:
                os.kill(self.pid(name), signal.SIGKILL)
            except ProcessLookupError:
                return False
            return True

        await eventually(killed, timeout=90)

    def stop(self, group: str, name: str) -> None:
        self.supervisor.stop_program(group, name)

    def start(self, group: str) -> None:
        self.supervisor.start_group(group)

    def restart(self, group: str, name: str) -> None:
        self.supervisor.restart(group, name)


@pytest.fixture(scope="package")
def fleet() -> Iterator[dict[str, Any]]:
    """The content of access.json. The fleet ends with the package: idle, it would slow down what follows."""
    with scratch_fleet() as access:
        yield access


@pytest.fixture(scope="package")
def control(fleet: dict[str, Any]) -> Control:
    if "logs" not in fleet:
        pytest.skip("only a fleet under its supervisor (MODE=native) lets tests kill its processes")
    return Control(Path(fleet["logs"]).parent)


@pytest.fixture
async def http(fleet: dict[str, Any]) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"{fleet['gateway_url']}/api/v1", timeout=60) as client:
        yield client


async def register(fleet: dict[str, Any], http: httpx.AsyncClient) -> Person:
    """The admin of a new organisation, logged in."""
    login = {"email": f"{uuid4().hex}@example.com", "password": PASSWORD}
    registered = await http.post("/auth/register", json=login)
    if registered.status_code == 403:  # a fleet whose accounts the platform administrator makes
        admin = {"email": fleet["admin_email"], "password": fleet["admin_password"]}
        token = (await http.post("/auth/login", json=admin)).json()["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        registered = await http.post("/auth/register", json=login, headers=headers)
    assert registered.status_code == 201, registered.text
    tokens = (await http.post("/auth/login", json=login)).json()
    return Person(fleet, http, login["email"], registered.json()["organization_id"], tokens)


@pytest.fixture
def join(fleet: dict[str, Any], http: httpx.AsyncClient) -> Callable[[], Awaitable[Person]]:
    """Registers a new organisation and logs its admin in."""
    return partial(register, fleet, http)


@pytest.fixture
async def listen(fleet: dict[str, Any]) -> AsyncIterator[Callable[..., Awaitable[Listener]]]:
    """Connects live clients."""
    clients: list[socketio.AsyncClient] = []

    async def connect(token: str) -> Listener:
        client = socketio.AsyncClient(reconnection=False)
        clients.append(client)
        listener = Listener(client)

        async def telemetry(items: list[dict[str, Any]]) -> None:
            listener.readings.extend(items)

        async def disconnected(*_: Any) -> None:
            listener.gone.set()

        client.on("telemetry", telemetry)
        client.on("disconnect", disconnected)
        await client.connect(
            fleet["gateway_url"],
            socketio_path="/ws/monitoring",
            transports=["websocket"],
            auth={"token": token},
            wait_timeout=60,
        )
        return listener

    yield connect
    for client in clients:
        await client.disconnect()


@pytest.fixture
async def carrier(fleet: dict[str, Any]) -> AsyncIterator[Carrier]:
    """The sandbox behind the fleet, without faults before and after."""
    if "sandbox_url" not in fleet:
        pytest.skip("the carrier's sandbox of this fleet cannot be reached from here")
    async with httpx.AsyncClient(base_url=fleet["sandbox_url"], timeout=60) as http:
        sandbox = Carrier(http)
        await sandbox.calm()
        yield sandbox
        await sandbox.calm()
