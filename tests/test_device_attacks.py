"""What a device's key is tried for: other devices' readings, commands, the broker itself."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import aio_pika
import aiomqtt
import httpx
import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from fleet_infra.producers import make_producer
from fleet_kit.testing import eventually

from .support import amqp_url, producer_url

pytestmark = [pytest.mark.fleet, pytest.mark.attack]
Join = Callable[[], Awaitable[Any]]
REFUSED = (aio_pika.exceptions.AMQPError, OSError)
FORGED = {"id": "forged", "metrics": {"a": 1}}


@pytest.mark.parametrize("user", ["{id}", "/:{id}", "mqtt-subscription-{id}"])
async def test_a_devices_key_does_not_open_amqp(join: Join, fleet: dict[str, Any], user: str) -> None:
    """Over AMQP, the header CC and dead-lettering queues send a message on under any routing key."""
    device = await (await join()).device()
    await device.over_mqtt({"metrics": {"a": 1}})  # the broker remembers what it was answered for MQTT
    with pytest.raises(REFUSED):
        await aio_pika.connect(amqp_url(fleet, user.format(id=device.id), device.key), timeout=60)


async def test_a_devices_key_does_not_open_the_management_api(join: Join, fleet: dict[str, Any]) -> None:
    device = await (await join()).device()
    login = (device.id, device.key)
    async with httpx.AsyncClient(base_url=fleet["rabbitmq_management_url"], auth=login, timeout=60) as broker:
        for path in ("whoami", "queues", "definitions"):
            assert (await broker.get(f"/api/{path}")).status_code == 401


@pytest.mark.parametrize(
    "topic",
    [
        "devices/{other}/telemetry",
        "devices/{other}/commands",
        "devices/{own}/commands",
        "devices/{own}/configuration",
        "devices/+/telemetry",
        "amq.topic/devices/{other}/telemetry",
    ],
)
async def test_a_device_writes_its_own_telemetry_and_nothing_else(join: Join, topic: str) -> None:
    person = await join()
    device, other = await person.device(), await person.device()
    await _publish_refused(device, topic.format(own=device.id, other=other.id))
    await _arrives_alone(person, other)


async def test_the_last_will_of_a_device_is_no_way_around_its_rights(join: Join) -> None:
    """The broker publishes the will by itself when a connection breaks."""
    person = await join()
    device, other = await person.device(), await person.device()
    for owner, name in ((other, "forged"), (device, "own-will")):
        await asyncio.to_thread(
            _break_connection, device, f"devices/{owner.id}/telemetry", {**FORGED, "id": name}
        )

    async def own_will() -> bool:
        return "own-will" in {item["id"] for item in await person.stored(device)}

    await eventually(own_will, timeout=90)
    await _arrives_alone(person, other)


async def test_a_producer_publishes_readings_and_may_declare_nothing_nor_publish_elsewhere(
    join: Join, fleet: dict[str, Any]
) -> None:
    device = await (await join()).device()
    url = producer_url(fleet, "attacker")
    await device.over_amqp({"metrics": {"a": 1}}, url)
    connection = await aio_pika.connect(url, timeout=60)
    async with connection:
        for refused in (
            lambda channel: channel.declare_queue("filled"),
            lambda channel: channel.declare_exchange("mine"),
            lambda channel: channel.default_exchange.publish(aio_pika.Message(b""), "monitoring.telemetry"),
            lambda channel: _publish(channel, "amq.topic", f"devices.{device.id}.commands"),
            lambda channel: _publish(channel, "fleet.events", "device.deleted"),
        ):
            channel = await connection.channel()
            with pytest.raises((aio_pika.exceptions.AMQPError, RuntimeError)):
                async with asyncio.timeout(60):
                    await refused(channel)


async def test_a_producers_new_password_replaces_the_old_one(fleet: dict[str, Any]) -> None:
    old = producer_url(fleet, "rotated")
    new = producer_url(fleet, "rotated")
    with pytest.raises(REFUSED):
        await aio_pika.connect(old, timeout=60)
    await (await aio_pika.connect(new, timeout=60)).close()


async def test_no_other_user_of_the_broker_is_made_a_producer(fleet: dict[str, Any]) -> None:
    login = (fleet["rabbitmq_user"], fleet["rabbitmq_password"])
    async with httpx.AsyncClient(base_url=fleet["rabbitmq_management_url"], auth=login, timeout=60) as broker:
        user = {"password": "as it was", "tags": "administrator"}
        (await broker.put("/api/users/somebody", json=user)).raise_for_status()
        with pytest.raises(Exception, match="no producer"):
            make_producer(fleet, "somebody")
        assert (await broker.get("/api/whoami", auth=("somebody", "as it was"))).is_success
        await broker.delete("/api/users/somebody")


@pytest.mark.parametrize("user", ["/:{id}", "devices:{id}x"])
async def test_a_device_logs_in_to_its_own_virtual_host_only(join: Join, user: str) -> None:
    """RabbitMQ's MQTT plugin takes `<virtual host>:<user name>`."""
    device = await (await join()).device()
    client = aiomqtt.Client(
        device.fleet["mqtt_host"],
        device.fleet["mqtt_port"],
        username=user.format(id=device.id),
        password=device.key,
        timeout=60,
    )
    with pytest.raises(aiomqtt.MqttError):
        async with client:
            pass


async def _publish(channel: Any, exchange: str, key: str) -> None:
    await (await channel.get_exchange(exchange, ensure=False)).publish(aio_pika.Message(b"{}"), key)


def _break_connection(device: Any, topic: str, will: dict[str, Any]) -> None:
    """Connect with a last will, and end the TCP connection without a farewell."""
    client = Client(CallbackAPIVersion.VERSION2, client_id=uuid4().hex)
    client.username_pw_set(device.id, device.key)
    client.will_set(topic, json.dumps(will), qos=1)
    client.connect(device.fleet["mqtt_host"], device.fleet["mqtt_port"])
    while not client.is_connected():
        assert client.loop(timeout=60) == 0
    connection = client.socket()
    assert connection is not None
    connection.close()


async def _publish_refused(device: Any, topic: str) -> None:
    """The broker closes the connection, or the client refuses the topic by itself."""
    with pytest.raises((aiomqtt.MqttError, ValueError)):
        async with device.mqtt() as client, asyncio.timeout(60):
            await client.publish(topic, json.dumps(FORGED))
            async for _ in client.messages:
                pass


async def _arrives_alone(person: Any, device: Any) -> None:
    """A reading that the device sends itself is stored, and what was sent before in its name is not."""
    await device.over_mqtt({"id": "own", "metrics": {"a": 1}})

    async def stored() -> bool:
        return "own" in {item["id"] for item in await person.stored(device)}

    await eventually(stored, timeout=90)
    assert {item["id"] for item in await person.stored(device)} == {"own"}
