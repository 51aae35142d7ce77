"""Attacks on the broker: with the key of one device, and with the login of a producer."""

import asyncio
import json
from collections import Counter
from uuid import uuid4

import aiomqtt

from fleet_contracts.topology import TELEMETRY_EXCHANGE, telemetry_key
from fleet_kit.testing_amqp import UNDECODABLE, RawMessage, publish_raw

from .target import Target, together

READINGS = 100
FORBIDDEN = ("#", "devices/+/telemetry", "devices/{victim}/telemetry", "devices/{victim}/#", "$SYS/#")


def _client(target: Target, identifier: str = "", *, clean: bool = True) -> aiomqtt.Client:
    return aiomqtt.Client(
        target.mqtt_host,
        target.mqtt_port,
        username=target.device_id,
        password=target.device_key,
        identifier=identifier or uuid4().hex,
        clean_session=clean,
        timeout=30,
    )


async def large_messages(target: Target) -> Counter[str]:
    """Messages of a megabyte, which are no readings, on the device's own topic."""
    async with _client(target) as client:
        for _ in range(5):
            await client.publish(f"devices/{target.device_id}/telemetry", bytes(1024 * 1024), qos=1)
    return Counter(done=5)


async def flood(target: Target) -> Counter[str]:
    """Readings, many in a message, as fast as the broker confirms them, until the session is ended."""
    sent = 0

    async def publish(client: aiomqtt.Client) -> None:
        nonlocal sent
        while True:
            body = json.dumps([{"id": uuid4().hex, "metrics": {"a": 1}} for _ in range(READINGS)])
            await client.publish(f"devices/{target.device_id}/telemetry", body, qos=1)
            sent += 1

    try:
        async with _client(target) as client, asyncio.timeout(20), asyncio.TaskGroup() as tasks:
            for _ in range(50):
                tasks.create_task(publish(client))
    except* (aiomqtt.MqttError, TimeoutError):
        await asyncio.sleep(1)
    return Counter(sent=sent, done=1) if sent else Counter(refused=1)


async def many_connections(target: Target) -> Counter[str]:
    """A hundred connections of one device, held for a while."""

    async def hold() -> None:
        async with _client(target):
            await asyncio.sleep(2)

    return await together([hold() for _ in range(100)])


async def many_sessions(target: Target) -> Counter[str]:
    """Persistent sessions with a subscription: the broker would keep a queue for each client id."""

    async def leave(identifier: str) -> None:
        async with _client(target, identifier, clean=False) as client:
            await client.subscribe(f"devices/{target.device_id}/commands", qos=1, timeout=5)

    kept = [f"kept-{target.device_id}-{number}" for number in range(20)]
    return await together([leave(identifier) for identifier in (target.device_id, *kept)])


async def forbidden_subscriptions(target: Target) -> Counter[str]:
    """Other devices' topics, one by one, for the broker ends the connection."""

    async def subscribe(topic: str) -> None:
        async with _client(target) as client:
            await client.subscribe(topic.format(victim=target.victim_device_id), qos=1, timeout=5)

    return await together([subscribe(topic) for topic in FORBIDDEN])


async def undecodable_properties(target: Target) -> Counter[str]:
    """Messages whose properties break a consumer's driver before its code sees them."""
    key = telemetry_key(target.device_id).encode()
    messages = [RawMessage(properties, b'{"metrics": {"a": 1}}', key) for properties in UNDECODABLE.values()]
    await publish_raw(target.producer_url, TELEMETRY_EXCHANGE, *messages)
    return Counter(done=len(messages))
