"""A small platform: the API calls the simulator makes, in front of a real broker."""

import asyncio
import json
import secrets
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import aio_pika
import httpx
import pytest
from aio_pika.abc import AbstractIncomingMessage
from aiohttp import web

from device_simulator.access import Access
from device_simulator.device import Pace
from device_simulator.links.addresses import Addresses
from device_simulator.profiles import DevicesFile, blueprints
from device_simulator.run import Plan, Transport
from fleet_contracts.topology import DEVICES_VHOST, SERVICES_VHOST, TELEMETRY_EXCHANGE, telemetry_key
from fleet_infra.testing import with_path

EMAIL, PASSWORD = "fleet@example.com", "correct horse"


@dataclass
class Platform:
    """What the fake platform knows and was asked; `failures` go first, to paths ending in `failing`."""

    url: str = ""
    names: dict[str, str] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    failures: list[int] = field(default_factory=list)
    failing: str = ""
    retry_after: str = ""
    """What refusals say in that header, unless empty."""
    refused: list[bytes] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    stored: set[str] = field(default_factory=set)
    readings: list[dict[str, Any]] = field(default_factory=list)
    free: list[str] = field(default_factory=list)
    iccids: dict[str, str] = field(default_factory=dict)
    producer: str = field(default_factory=lambda: f"producer-{secrets.token_hex(4)}")
    """Whose login opens AMQP; its password is its name."""


class PlatformApi:
    """Routes of the fake platform; new keys are told to the broker through its management API."""

    def __init__(self, platform: Platform, broker: httpx.AsyncClient, collector: "Collector") -> None:
        self._platform, self._broker, self._collector = platform, broker, collector

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self.before])
        app.add_routes(
            [
                web.post("/api/v1/auth/login", self.login),
                web.get("/api/v1/devices/", self.list),
                web.post("/api/v1/devices/", self.create),
                web.patch("/api/v1/devices/{id}", self.change),
                web.get("/api/v1/sims", self.sims),
                web.post("/api/v1/devices/{id}/credentials", self.rotate),
                web.post("/api/v1/devices/{id}/telemetry", self.telemetry),
            ]
        )
        return app

    @web.middleware
    async def before(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self._platform.calls.append(f"{request.method} {request.path}")
        if self._platform.failures and request.path.endswith(self._platform.failing):
            self._platform.refused.append(await request.read())
            status = self._platform.failures.pop(0)
            error = {"code": "TEST", "message": "as the test wants it"}
            wait = {"Retry-After": self._platform.retry_after} if self._platform.retry_after else {}
            return web.json_response({"error": error}, status=status, headers=wait)
        answer: web.StreamResponse = await handler(request)
        return answer

    async def login(self, request: web.Request) -> web.Response:
        if await request.json() != {"email": EMAIL, "password": PASSWORD}:
            error = {"code": "INVALID_CREDENTIALS", "message": "wrong e-mail or password"}
            return web.json_response({"error": error}, status=401)
        return web.json_response({"access_token": "token", "expires_in": 1800})

    async def list(self, request: web.Request) -> web.Response:
        names = sorted(self._platform.names)
        start = int(request.query.get("cursor", 0))
        size = 3
        more = str(start + size) if start + size < len(names) else None
        ids = {name: self._platform.names[name] for name in names[start : start + size]}
        items = [{"id": id, "name": name, "iccid": self._platform.iccids.get(id)} for name, id in ids.items()]
        return web.json_response({"items": items, "next_cursor": more})

    async def create(self, request: web.Request) -> web.Response:
        body = await request.json()
        device_id = str(uuid.uuid4())
        self._platform.names[body["name"]] = device_id
        key = await self._issue(device_id)
        return web.json_response({"id": device_id, "name": body["name"], "key": key}, status=201)

    async def change(self, request: web.Request) -> web.Response:
        self._platform.iccids[request.match_info["id"]] = (await request.json())["iccid"]
        return web.json_response({"id": request.match_info["id"]})

    async def sims(self, request: web.Request) -> web.Response:
        assert request.query["linked"] == "false"
        items = [{"iccid": iccid} for iccid in self._platform.free]
        return web.json_response({"items": items, "next_cursor": None})

    async def rotate(self, request: web.Request) -> web.Response:
        return web.json_response({"key": await self._issue(request.match_info["id"])}, status=201)

    async def telemetry(self, request: web.Request) -> web.Response:
        device_id, body = request.match_info["id"], await request.read()
        if request.headers["Authorization"] != f"Device {device_id}:{self._platform.keys[device_id]}":
            return web.json_response({"error": {"code": "UNAUTHORIZED", "message": "no"}}, status=401)
        self._platform.bodies.append(body)
        await self._collector.publish(telemetry_key(device_id), body)
        return web.json_response({"accepted": 1, "ids": []}, status=202)

    async def _issue(self, device_id: str) -> str:
        key = secrets.token_urlsafe(12)
        self._platform.keys[device_id] = key
        await make_user(self._broker, device_id, key, DEVICES_VHOST)
        await self._collector.follow(device_id)
        return key


async def make_user(broker: httpx.AsyncClient, name: str, password: str, vhost: str) -> None:
    """A user of the broker who may publish telemetry."""
    allowed = {"configure": "^$", "write": "^amq\\.topic$", "read": "^$"}
    (await broker.put(f"/users/{name}", json={"password": password, "tags": ""})).raise_for_status()
    (await broker.put(f"/permissions/{quote(vhost, safe='')}/{name}", json=allowed)).raise_for_status()


class Collector:
    """Receives what the followed devices have published, in the virtual hosts of services and devices."""

    def __init__(self, channels: list[aio_pika.abc.AbstractChannel], platform: Platform) -> None:
        self._channels, self._platform = channels, platform
        self._queues: list[aio_pika.abc.AbstractQueue] = []

    async def start(self) -> None:
        for channel in self._channels:
            queue = await channel.declare_queue(exclusive=True)
            await queue.consume(self._received, no_ack=True)
            self._queues.append(queue)

    async def follow(self, device_id: str) -> None:
        for queue in self._queues:
            await queue.bind(TELEMETRY_EXCHANGE, telemetry_key(device_id))

    async def publish(self, key: str, body: bytes) -> None:
        exchange = await self._channels[0].get_exchange(TELEMETRY_EXCHANGE, ensure=False)
        await exchange.publish(aio_pika.Message(body), key)

    async def _received(self, message: AbstractIncomingMessage) -> None:
        readings = json.loads(message.body)
        self._platform.stored.update(reading["id"] for reading in readings)
        device = str(message.routing_key).split(".")[1]
        self._platform.readings.extend(reading | {"device": device} for reading in readings)


@pytest.fixture(scope="session")
def broker_addresses(fleet_servers: Any) -> Any:
    fleet_servers.start("rabbitmq")
    return fleet_servers.addresses


@pytest.fixture
async def platform(broker_addresses: Any) -> AsyncIterator[Platform]:
    """The fake platform, listening."""
    parts = urlsplit(broker_addresses.amqp_url)
    login = (parts.username or "", parts.password or "")
    management = f"{broker_addresses.rabbitmq_management_url}/api"
    known = Platform()
    services = await aio_pika.connect(broker_addresses.amqp_url)
    devices = await aio_pika.connect(with_path(broker_addresses.amqp_url, DEVICES_VHOST))
    async with services, devices, httpx.AsyncClient(base_url=management, auth=login, timeout=60) as broker:
        collector = Collector([await services.channel(), await devices.channel()], known)
        await collector.start()
        await make_user(broker, known.producer, known.producer, SERVICES_VHOST)
        runner = web.AppRunner(PlatformApi(known, broker, collector).app())
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        known.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield known
        await runner.cleanup()
        for name in (*known.keys, known.producer):
            await broker.delete(f"/users/{name}")


@pytest.fixture
def access(platform: Platform, broker_addresses: Any) -> Access:
    """Access to the fake platform and the real broker."""
    amqp = urlsplit(broker_addresses.amqp_url)
    addresses = Addresses(
        platform.url,
        "127.0.0.1",
        broker_addresses.mqtt_port,
        "127.0.0.1",
        amqp.port or 0,
        amqp_user=platform.producer,
        amqp_password=platform.producer,
    )
    return Access(addresses, EMAIL, PASSWORD)


@pytest.fixture
def make_plan(tmp_path: Path) -> Any:
    """Builds plans of short runs that write to `tmp_path`."""

    def make(
        transport: str = "mqtt", *, devices: int = 3, rate: float = 20, batch: int = 1, **other: Any
    ) -> Plan:
        file = DevicesFile.read(None)
        values: dict[str, Any] = {"seed": 1, "duration": 1.0, "drain": 20, "patience": 5}
        values |= {"ids_file": tmp_path / "ids.jsonl", "state_file": tmp_path / "keys.json"}
        return Plan(
            blueprints=blueprints(file, devices, "test"),
            transport=Transport(transport),
            pace=Pace(rate, batch, other.pop("give_up", 60)),
            time_scale=other.pop("time_scale", file.time_scale),
            **values | other,
        )

    return make


@pytest.fixture
def ledger_lines(tmp_path: Path) -> Any:
    """Reads the ids file of the run."""
    return lambda: [json.loads(line) for line in (tmp_path / "ids.jsonl").read_text().splitlines()]


@pytest.fixture
def until() -> Any:
    """Waits until a condition holds, ten seconds at most."""

    async def wait(condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not condition():  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    return wait


@pytest.fixture
def stored_all(platform: Platform, until: Any) -> Any:
    """Waits until every given id has reached the broker's queue."""
    return lambda ids: until(lambda: ids <= platform.stored)
