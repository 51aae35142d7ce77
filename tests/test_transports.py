"""A device is heard over MQTT and HTTP, trusted producers over AMQP, and nobody else is."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import aiomqtt
import pytest

from fleet_kit.testing import eventually

from .support import producer_url

pytestmark = pytest.mark.fleet
Join = Callable[[], Awaitable[Any]]
BROKER_CACHE_SECONDS = 10


async def test_all_three_transports_reach_the_store_latest_and_the_live_feed(
    join: Join, listen: Callable[..., Awaitable[Any]], fleet: dict[str, Any]
) -> None:
    person = await join()
    device = await person.device()
    live = await listen(person.tokens["access_token"])
    assert (await live.subscribe(devices=[device.id]))["ok"]
    answer = await device.over_http([{"id": "by-http", "metrics": {"temperature": 1.5}}])
    assert (answer.status_code, answer.json()) == (202, {"accepted": 1, "ids": ["by-http"]})
    await device.over_mqtt({"id": "by-mqtt", "metrics": {"temperature": 2.5}})
    await device.over_amqp([{"id": "by-amqp", "metrics": {"temperature": 3.5}}], producer_url(fleet))
    wanted = {"by-http", "by-mqtt", "by-amqp"}

    async def arrived() -> bool:
        stored = {item["id"] for item in await person.stored(device)}
        return stored == wanted == set(live.ids())

    await eventually(arrived, timeout=90)
    assert len(live.ids()) == 3

    async def latest() -> bool:
        items = (await person.get("/monitoring/latest"))["items"]
        return [item["device_id"] for item in items] == [device.id]

    await eventually(latest, timeout=90)

    async def online() -> bool:
        return bool((await person.get(f"/devices/{device.id}/status"))["status"] == "online")

    await eventually(online, timeout=90)


async def test_the_same_reading_sent_over_and_over_is_stored_once(join: Join) -> None:
    person = await join()
    device = await person.device()
    reading = {"ts": _now(), "metrics": {"a": 1}}
    named = {"id": "same", "metrics": {"a": 2}}
    for _ in range(3):
        await device.over_mqtt(reading, named)
        await device.over_http([reading, named])

    async def stored() -> int:
        return len(await person.stored(device))

    await device.over_mqtt({"id": "last", "metrics": {"a": 3}})
    await eventually(lambda: _equals(stored, 3), timeout=90)


async def test_a_wrong_key_another_devices_topic_and_a_revoked_key_are_refused(join: Join) -> None:
    person = await join()
    device, other = await person.device(), await person.device()
    with pytest.raises(aiomqtt.MqttError):
        await device.over_mqtt({"metrics": {"a": 1}}, key=other.key)
    assert (await device.over_http({"metrics": {"a": 1}}, key=other.key)).status_code == 401
    with pytest.raises((aiomqtt.MqttError, TimeoutError)):
        async with device.mqtt() as client, asyncio.timeout(5):
            await client.publish(f"devices/{other.id}/telemetry", '{"metrics": {"a": 1}}', qos=1)
    assert (await person.call("DELETE", f"/devices/{device.id}/credentials")).status_code == 204
    assert (await device.over_http({"metrics": {"a": 1}})).status_code == 401

    async def refused() -> bool:
        try:
            await device.over_mqtt({"metrics": {"a": 1}})
        except aiomqtt.MqttError:
            return True
        return False

    await eventually(refused, timeout=BROKER_CACHE_SECONDS + 60)
    assert await person.stored(other) == []


@pytest.mark.parametrize("method", ["POST", "DELETE"])
async def test_a_session_that_is_open_ends_with_its_key(join: Join, method: str) -> None:
    person = await join()
    device, neighbour = await person.device(), await person.device()
    async with neighbour.mqtt() as untouched:
        with pytest.raises(aiomqtt.MqttError):
            async with device.mqtt() as client, asyncio.timeout(BROKER_CACHE_SECONDS):
                await client.publish(f"devices/{device.id}/telemetry", '{"metrics": {"a": 1}}', qos=1)
                answer = await person.call(method, f"/devices/{device.id}/credentials")
                assert answer.is_success
                async for _ in client.messages:
                    pass
        await untouched.publish(f"devices/{neighbour.id}/telemetry", '{"metrics": {"a": 1}}', qos=1)


async def test_a_rotated_key_replaces_the_old_one_at_once_over_http(join: Join) -> None:
    person = await join()
    device = await person.device()
    fresh = await person.call("POST", f"/devices/{device.id}/credentials")
    assert fresh.status_code == 201
    assert (await device.over_http({"metrics": {"a": 1}})).status_code == 401
    assert (await device.over_http({"metrics": {"a": 1}}, key=fresh.json()["key"])).status_code == 202


async def _equals(ask: Callable[[], Awaitable[int]], wanted: int) -> bool:
    found = await ask()
    assert found == wanted, f"{found}, not {wanted}"
    return True


def _now() -> str:
    from datetime import UTC, datetime

    return datetime.now(UTC).isoformat(timespec="milliseconds")
