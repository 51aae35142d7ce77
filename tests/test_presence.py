"""Who is online while what would tell of the devices is away."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import aio_pika
import pytest

from fleet_infra.testing_fleet import OFFLINE_AFTER_SECONDS
from fleet_kit.testing import eventually

from .support import amqp_url

pytestmark = pytest.mark.fleet
Join = Callable[[], Awaitable[Any]]
READING = {"metrics": {"temperature": 21.5}}
AWAY_SECONDS = OFFLINE_AFTER_SECONDS * 1.5
SOON_SECONDS = 45
"""Beside the limit itself: some rounds of a busy machine's workers."""


@asynccontextmanager
async def sending(over_mqtt: Any, over_http: Any) -> AsyncIterator[None]:
    """Two devices send a reading a second, each over its door."""

    async def send() -> None:
        async with over_mqtt.mqtt() as client:
            while True:
                await client.publish(f"devices/{over_mqtt.id}/telemetry", json.dumps(READING), qos=1)
                assert (await over_http.over_http(READING)).status_code == 202
                await asyncio.sleep(1)

    task = asyncio.create_task(send())
    try:
        yield
        assert not task.done(), "what they send has been accepted all the time"
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


class Told:
    """What everybody was told of the devices' status."""

    def __init__(self, queue: aio_pika.abc.AbstractQueue) -> None:
        self._queue, self._told = queue, list[tuple[str, str]]()

    async def of(self, device: Any) -> list[str]:
        while (message := await self._queue.get(no_ack=True, fail=False)) is not None:
            data = json.loads(message.body)["data"]
            self._told.append((data["id"], data["status"]))
        return [status for identifier, status in self._told if identifier == device.id]


@pytest.fixture
async def told(fleet: dict[str, Any]) -> AsyncIterator[Told]:
    url = amqp_url(fleet, fleet["rabbitmq_user"], fleet["rabbitmq_password"])
    async with await aio_pika.connect(url, timeout=60) as connection:
        queue = await (await connection.channel()).declare_queue(exclusive=True)
        await queue.bind("fleet.events", "device.status_changed")
        yield Told(queue)


def is_(person: Any, status: str, *devices: Any) -> Callable[[], Awaitable[bool]]:
    async def check() -> bool:
        found = [(await person.get(f"/devices/{device.id}/status"))["status"] for device in devices]
        return found == [status] * len(devices)

    return check


async def speak_last(person: Any, device: Any) -> None:
    """Have it heard, for the last time."""

    async def is_heard() -> bool:
        assert (await device.over_http(READING)).status_code == 202
        return await is_(person, "online", device)()

    await eventually(is_heard, timeout=90)


@pytest.mark.parametrize(("group", "program"), [("servers", "mongo"), ("services", "monitoring-worker")])
async def test_devices_that_go_on_sending_stay_online_while_nobody_can_tell(
    join: Join, control: Any, told: Told, group: str, program: str
) -> None:
    person = await join()
    over_mqtt, over_http, silent = [await person.device() for _ in range(3)]
    async with sending(over_mqtt, over_http):
        await eventually(is_(person, "online", over_mqtt, over_http), timeout=90)
        await speak_last(person, silent)
        await asyncio.to_thread(control.stop, group, program)
        try:
            await asyncio.sleep(AWAY_SECONDS)
            assert await is_(person, "online", over_mqtt, over_http)()
        finally:
            control.start(group)
        await eventually(is_(person, "offline", silent), timeout=90)
        assert (await person.get("/monitoring/stats"))["online"] == 2
        assert await is_(person, "online", over_mqtt, over_http)()
    assert [await told.of(device) for device in (over_mqtt, over_http)] == [["online"], ["online"]]
    assert await told.of(silent) == ["online", "offline"]


async def test_a_silent_device_of_a_healthy_fleet_goes_offline_in_time(join: Join, told: Told) -> None:
    person = await join()
    over_mqtt, over_http, silent = [await person.device() for _ in range(3)]
    async with sending(over_mqtt, over_http):
        await eventually(is_(person, "online", over_mqtt, over_http), timeout=90)
        await speak_last(person, silent)
        await eventually(is_(person, "offline", silent), timeout=OFFLINE_AFTER_SECONDS + SOON_SECONDS)
        assert (await person.get("/monitoring/stats"))["online"] == 2
    assert await told.of(silent) == ["online", "offline"]
    assert [await told.of(device) for device in (over_mqtt, over_http)] == [["online"], ["online"]]
