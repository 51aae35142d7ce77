"""The API and the worker as they really run."""

import asyncio
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from uuid import UUID

import aio_pika
import orjson
from aio_pika.abc import AbstractQueue

from device_service.settings import DeviceSettings
from fleet_contracts.events import DeviceSeen, PresenceData, TelemetryPresence
from fleet_kit.messaging import Publisher
from fleet_kit.testing import eventually

from .conftest import Organization
from .processes import environment, free_port, running
from .support import path_of


async def test_api_process_serves_health_metrics_and_its_document(settings: DeviceSettings) -> None:
    port = free_port()
    async with running("device_service", port, environment(settings, PORT=port)) as client:
        health = (await client.get("/health")).json()
        assert health == {"status": "ok", "checks": {"postgres": "ok", "redis": "ok", "broker": "ok"}}
        document = (await client.get("/api/v1/device/openapi.json")).json()
        assert {"/api/v1/devices/", "/api/v1/devices/{device_id}/telemetry"} <= set(document["paths"])
        assert not [path for path in document["paths"] if "internal" in path]
        assert (await client.get("/metrics")).status_code == 200
        assert (await client.get("/api/v1/devices/")).status_code == 401


async def published_types_are(
    queue: AbstractQueue, subject: str, expected: list[str], seen: list[str]
) -> bool:
    """Whether the events of the subject, those in `seen` included, are of these types in this order."""
    while (message := await queue.get(no_ack=True, fail=False)) is not None:
        body = orjson.loads(message.body)
        if body["subject"] == subject:
            seen.append(body["type"])
    return seen == expected


def presence(organization_id: UUID, *devices: str) -> TelemetryPresence:
    """What monitoring-service publishes of devices, or with none of silence: that it would know otherwise."""
    now = datetime.now(UTC)
    seen = [DeviceSeen(id=UUID(device), last_seen=now) for device in devices]
    data = PresenceData(devices=seen, watermark=None if seen else now)
    return TelemetryPresence(source="test", subject="presence", organizationid=organization_id, data=data)


async def test_worker_relays_events_and_follows_presence(
    settings: DeviceSettings, organization: Organization
) -> None:
    """A device is created, heard, falls silent: its status follows, and every event is published."""
    port = free_port()
    url = settings.amqp_url.get_secret_value()
    env = environment(
        settings, WORKER_PORT=port, DEVICE_OFFLINE_AFTER_SECONDS=2, DEVICE_SWEEP_EVERY_SECONDS=0.2
    )
    publisher = Publisher(url, "test")
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(exclusive=True)
        await queue.bind("fleet.events", "device.#")
        async with running("device_service.worker", port, env) as client:
            made = await organization.make_device()
            await publisher.publish_event(presence(organization.id, made["id"]))

            async def has(status: str) -> bool:
                answer = await organization.viewer.get(path_of(made, "/status"))
                return bool(answer.json()["status"] == status)

            await eventually(lambda: has("online"), timeout=90)

            async def silent() -> bool:
                await publisher.publish_event(presence(UUID(int=0)))
                return await has("offline")

            await eventually(silent, timeout=90)
            assert (await client.get("/metrics")).status_code == 200
            expected = ["device.registered", "device.status_changed", "device.status_changed"]
            await eventually(partial(published_types_are, queue, made["id"], expected, []), timeout=90)
    await publisher.close()


async def test_a_worker_that_starts_and_stops_as_it_should_warns_of_nothing(
    settings: DeviceSettings, tmp_path: Path
) -> None:
    port, log = free_port(), tmp_path / "worker.log"
    env = environment(settings, WORKER_PORT=port, DEVICE_SWEEP_EVERY_SECONDS=0.2)
    with log.open("wb") as output:
        async with running("device_service.worker", port, env, output) as client:
            assert (await client.get("/metrics")).status_code == 200
    assert log.read_text() == ""


async def test_two_workers_share_the_work(settings: DeviceSettings, organization: Organization) -> None:
    """Two relays and two consumers: each event is told once, in the order of its device."""
    ports = free_port(), free_port()
    url = settings.amqp_url.get_secret_value()
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(exclusive=True)
        await queue.bind("fleet.events", "device.#")
        one, two = (environment(settings, WORKER_PORT=port) for port in ports)
        async with (
            running("device_service.worker", ports[0], one),
            running("device_service.worker", ports[1], two),
        ):
            made = await organization.make_device()
            for number in range(20):
                await organization.operator.patch(path_of(made), json={"config": {"n": number}})
                await asyncio.sleep(0)
            seen: list[int] = []

            async def told() -> bool:
                while (message := await queue.get(no_ack=True, fail=False)) is not None:
                    body = orjson.loads(message.body)
                    if body["subject"] == made["id"]:
                        seen.append(body["data"]["version"])
                return len(seen) >= 21

            await eventually(told, timeout=90)
            assert seen == list(range(1, 22))
