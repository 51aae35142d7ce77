"""A device that publishes more than it may, beside others that must not notice, and loses nothing by it."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import aiomqtt
import pymongo
import pytest

from fleet_kit.testing import eventually

pytestmark = [pytest.mark.fleet, pytest.mark.attack]
Join = Callable[[], Awaitable[Any]]
MESSAGES, READINGS, SIZE = 1500, 20, 4000
"""More bytes than a device may send at once, and more readings than are stored in some seconds."""
AT_ONCE = 50


@dataclass
class Flood:
    """`accepted`: messages that the broker has confirmed."""

    device: Any
    accepted: set[str] = field(default_factory=set)

    async def run(self) -> None:
        """Publish, as fast as it is confirmed, until the session is ended from the other side."""
        async with self.device.mqtt() as client, asyncio.TaskGroup() as tasks:
            numbers = iter(range(MESSAGES))
            for _ in range(AT_ONCE):
                tasks.create_task(self._publish(client, numbers))
            async for _ in client.messages:
                pass

    async def _publish(self, client: aiomqtt.Client, numbers: Any) -> None:
        for number in numbers:
            body = [{"id": f"f{number}-{place}", "metrics": {"a": place}} for place in range(READINGS)]
            await client.publish(
                f"devices/{self.device.id}/telemetry", json.dumps(body).ljust(SIZE), qos=1, timeout=60
            )
            self.accepted |= {f"f{number}-{place}" for place in range(READINGS)}

    async def connects(self) -> bool:
        """Whether it may log in."""
        try:
            async with self.device.mqtt():
                return True
        except aiomqtt.MqttError:
            return False


@asynccontextmanager
async def publishing(device: Any) -> AsyncIterator[set[str]]:
    """A reading every now and then in one session, whose end is an error; the ids of those confirmed."""
    sent, stop = set[str](), asyncio.Event()

    async def publish() -> None:
        async with device.mqtt() as client:
            while not stop.is_set():
                name = f"q{len(sent)}"
                body = json.dumps({"id": name, "metrics": {"a": 1}})
                await client.publish(f"devices/{device.id}/telemetry", body, qos=1, timeout=60)
                sent.add(name)
                with suppress(TimeoutError):
                    async with asyncio.timeout(0.1):
                        await stop.wait()

    task = asyncio.create_task(publish())
    try:
        yield sent
        assert not task.done(), "the session of a device that sends little was ended"
    finally:
        stop.set()  # the client sometimes swallows a cancellation
        await asyncio.gather(task, return_exceptions=True)


def stored(fleet: dict[str, Any], device: Any) -> set[str]:
    with pymongo.MongoClient[dict[str, Any]](fleet["mongo_url"]) as client:
        found = client["monitoring"]["readings"].find({"device_id": device.id}, {"id": 1})
        return {str(item["id"]) for item in found}


async def test_a_flood_over_mqtt_is_cut_and_costs_nobody_a_reading(join: Join, fleet: dict[str, Any]) -> None:
    person, other_person = await join(), await join()
    flood = Flood(await person.device())
    quiet, other = await person.device(), await other_person.device()

    async def refused() -> bool:
        return not await flood.connects()

    async def everything_is_stored() -> bool:
        lists = {flood.device.id: flood.accepted, quiet.id: of_quiet, other.id: of_other}
        devices = (flood.device, quiet, other)
        return all([lists[device.id] <= await asyncio.to_thread(stored, fleet, device) for device in devices])

    async with publishing(quiet) as of_quiet, publishing(other) as of_other:
        flooding = asyncio.create_task(flood.run())
        await eventually(refused, timeout=90)
        with pytest.raises(BaseExceptionGroup) as ended:
            async with asyncio.timeout(120):
                await flooding
        assert ended.group_contains(aiomqtt.MqttError), "its session was ended"
        assert len(flood.accepted) > 0
        await eventually(flood.connects, timeout=300)
    await eventually(everything_is_stored, timeout=300, every=3)
    events = await person.get(f"/devices/{flood.device.id}/events")
    assert {event["event_type"] for event in events["items"]} == {"telemetry_throttled"}
    assert (await person.get(f"/devices/{quiet.id}/events"))["items"] == []
