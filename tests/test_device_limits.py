"""What a device may occupy at the broker: sessions, subscriptions and what waits in them, large messages."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aio_pika
import aiomqtt
import httpx
import pytest

from fleet_contracts.topology import DEVICES_VHOST, subscription_queues
from fleet_kit.messaging import in_vhost
from fleet_kit.testing import eventually

from .support import amqp_url

pytestmark = [pytest.mark.fleet, pytest.mark.attack]
Join = Callable[[], Awaitable[Any]]
SESSIONS = 10
"""DEVICE_MAX_SESSIONS as it comes."""
MEGABYTE = 1_048_576
KEEPALIVE_TIMER = 2


@pytest.fixture
async def broker(fleet: dict[str, Any]) -> AsyncIterator[httpx.AsyncClient]:
    """The management API, as the broker's administrator."""
    login = (fleet["rabbitmq_user"], fleet["rabbitmq_password"])
    base = f"{fleet['rabbitmq_management_url']}/api"
    async with httpx.AsyncClient(base_url=base, auth=login, timeout=60) as client:
        yield client


def subscriber(device: Any, client_id: str) -> aiomqtt.Client:
    """A client whose session the broker keeps when the connection ends."""
    return aiomqtt.Client(
        device.fleet["mqtt_host"],
        device.fleet["mqtt_port"],
        username=device.id,
        password=device.key,
        identifier=client_id,
        clean_session=False,
        timeout=60,
    )


async def queue(broker: httpx.AsyncClient, device: Any) -> dict[str, Any] | None:
    """What the broker says of the device's subscription of QoS 1."""
    answer = await broker.get(f"/queues/{DEVICES_VHOST}/{subscription_queues(device.id)[1]}")
    if answer.status_code == 404:
        return None
    found: dict[str, Any] = answer.raise_for_status().json()
    return found


async def refused(device: Any, client_id: str, topic: str) -> None:
    """Subscribe, and see it refused: the broker ends the session, and the client waits in vain."""
    with pytest.raises((aiomqtt.MqttError, TimeoutError)):
        async with subscriber(device, client_id) as client:
            await client.subscribe(topic, qos=1, timeout=3)
            async for _ in client.messages:
                pass


@pytest.mark.parametrize("client_id", ["{id}-1", "{id}.x", "any"])
async def test_a_device_subscribes_under_its_own_id_only(
    join: Join, broker: httpx.AsyncClient, client_id: str
) -> None:
    """A free client id would be a free number of queues, which outlive the connection."""
    device = await (await join()).device()
    name = client_id.format(id=device.id)
    await refused(device, name, f"devices/{device.id}/commands")
    queues = {found["name"] for found in (await broker.get(f"/queues/{DEVICES_VHOST}")).json()}
    assert not queues & set(subscription_queues(name))


async def test_a_device_cannot_bind_a_subscription_to_any_number_of_topics(
    join: Join, broker: httpx.AsyncClient
) -> None:
    device = await (await join()).device()
    own = [f"devices/{device.id}/commands", f"devices/{device.id}/commands/#"]
    async with subscriber(device, device.id) as client:
        for topic in own:
            await client.subscribe(topic, qos=1)
    await refused(device, device.id, f"devices/{device.id}/commands/7")
    path = f"/bindings/{DEVICES_VHOST}/e/amq.topic/q/{subscription_queues(device.id)[1]}"
    bound = {found["routing_key"] for found in (await broker.get(path)).json()}
    assert bound == {topic.replace("/", ".") for topic in own}


async def test_a_device_opens_so_many_sessions_and_its_neighbours_as_before(
    join: Join, broker: httpx.AsyncClient
) -> None:
    person = await join()
    device, neighbour = await person.device(), await person.device()
    async with AsyncExitStack() as open_sessions:
        for _ in range(SESSIONS):
            await open_sessions.enter_async_context(device.mqtt())
        await eventually(lambda: _lists(broker, device, SESSIONS), timeout=90)
        for _ in range(2 * SESSIONS + 2):
            with pytest.raises(aiomqtt.MqttError):
                async with device.mqtt():
                    pass
        await neighbour.over_mqtt({"id": "neighbour", "metrics": {"a": 1}})
    # The broker notices the ends one by one.
    await eventually(lambda: _connects(device), timeout=90)


async def test_closed_sessions_do_not_count(join: Join) -> None:
    """mosquitto_pub, as it comes, has a new client id each time."""
    device = await (await join()).device()
    for _ in range(SESSIONS + 10):
        await eventually(lambda: _connects(device), timeout=90)


async def test_a_silent_connection_is_asked_whether_its_device_is_still_there(
    fleet: dict[str, Any],
) -> None:
    """A session with keep-alive 0 would count for ever after the network under it has gone."""
    with socket.create_connection((fleet["mqtt_host"], fleet["mqtt_port"])) as connection:
        ours = connection.getsockname()[1]

        async def is_timed() -> bool:
            return _is_kept_alive(fleet["mqtt_port"], ours)

        await eventually(is_timed, timeout=60)


def _is_kept_alive(local: int, remote: int) -> bool:
    """Whether the kernel will ask the other end of a connection that is silent.

    Lines of /proc/net/tcp as https://docs.kernel.org/networking/proc_net_tcp.html has them.
    """
    for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]:
        _, here, there, _, _, timer, *_ = line.split()
        if int(here.split(":")[1], 16) == local and int(there.split(":")[1], 16) == remote:
            return int(timer.split(":")[0]) == KEEPALIVE_TIMER
    return False


async def test_what_a_device_had_subscribed_to_goes_with_it(join: Join, broker: httpx.AsyncClient) -> None:
    person = await join()
    device, revoked, rotated = [await person.device() for _ in range(3)]
    for each in (device, revoked, rotated):
        async with subscriber(each, each.id) as client:
            await client.subscribe(f"devices/{each.id}/commands", qos=1)
        assert await queue(broker, each) is not None, "kept for a device that comes back"
    assert (await person.call("DELETE", f"/devices/{device.id}")).is_success
    assert (await person.call("DELETE", f"/devices/{revoked.id}/credentials")).is_success
    assert (await person.call("POST", f"/devices/{rotated.id}/credentials")).is_success

    async def gone() -> bool:
        return [await queue(broker, each) for each in (device, revoked)] == [None, None]

    await eventually(gone, timeout=90)
    assert await queue(broker, rotated) is not None, "the same device, with another key"


async def test_an_unread_subscription_keeps_the_newest_megabyte(
    join: Join, fleet: dict[str, Any], broker: httpx.AsyncClient
) -> None:
    device = await (await join()).device()
    async with subscriber(device, device.id) as client:
        await client.subscribe(f"devices/{device.id}/commands", qos=1)
    login = (fleet["rabbitmq_user"], fleet["rabbitmq_password"])
    address = in_vhost(amqp_url(fleet, *login), DEVICES_VHOST)
    connection = await aio_pika.connect(address, timeout=60)
    async with connection:
        channel = await connection.channel(publisher_confirms=True)
        topics = await channel.get_exchange("amq.topic", ensure=False)
        for _ in range(12):
            await topics.publish(aio_pika.Message(bytes(MEGABYTE // 4)), f"devices.{device.id}.commands")

    async def bounded() -> bool:
        found = await queue(broker, device) or {}
        return 0 < int(found.get("message_bytes", 0)) <= MEGABYTE

    await eventually(bounded, timeout=90)


async def test_a_huge_message_is_never_acknowledged_and_the_next_reading_is_stored(join: Join) -> None:
    person = await join()
    device = await person.device()
    large = json.dumps({"id": "large", "metrics": {"a": 1}}).encode().ljust(8 * MEGABYTE)
    sending = asyncio.create_task(device.over_mqtt(large))

    async def stored() -> bool:
        return "after" in {item["id"] for item in await person.stored(device)}

    await device.over_mqtt({"id": "after", "metrics": {"a": 1}})
    await eventually(stored, timeout=90)
    # RabbitMQ 4 ends the session; 3.10 leaves the client without an acknowledgement.
    assert not sending.done() or isinstance(sending.exception(), aiomqtt.MqttError)
    sending.cancel()
    assert {item["id"] for item in await person.stored(device)} == {"after"}


async def test_a_message_above_a_megabyte_is_listed_with_its_reason(join: Join) -> None:
    person = await join()
    device = await person.device()
    reading = {"id": "large", "metrics": {"a": 1}}
    await device.over_mqtt(json.dumps(reading).encode().ljust(MEGABYTE + 1), {**reading, "id": "small"})

    async def listed() -> bool:
        found = await person.get("/monitoring/rejected", device_id=device.id)
        return [item["code"] for item in found["items"]] == ["MESSAGE_TOO_LARGE"]

    await eventually(listed, timeout=90)
    assert {item["id"] for item in await person.stored(device)} == {"small"}


async def _lists(broker: httpx.AsyncClient, device: Any, number: int) -> bool:
    answer = await broker.get(f"/connections/username/{device.id}")
    return answer.is_success and len(answer.json()) == number


async def _connects(device: Any) -> bool:
    try:
        async with device.mqtt():
            return True
    except aiomqtt.MqttError:
        return False
