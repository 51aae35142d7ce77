"""An organisation that works on while others are attacking: what it sends, sees and waits for."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from fleet_kit.testing import eventually

from ..conftest import Device, Listener, Person

DEVICES, READINGS_PER_SECOND = 10, 50
CALLS = ("/devices/", "/monitoring/latest", "/sims", "/auth/me", "/monitoring/stats")
CALLS_PER_SECOND = 10


@dataclass
class Victim:
    """Times in seconds."""

    person: Person
    devices: list[Device]
    listener: Listener
    sent_at: dict[str, float] = field(default_factory=dict)
    """By id: when each reading was published; the broker has confirmed it."""
    live_after: dict[str, float] = field(default_factory=dict)
    api_seconds: list[float] = field(default_factory=list)
    api_failures: list[str] = field(default_factory=list)

    async def watch(self) -> None:
        """Note when readings arrive at the live client."""

        async def telemetry(items: list[dict[str, Any]]) -> None:
            now = time.monotonic()
            for item in items:
                if item["id"] in self.sent_at:
                    self.live_after.setdefault(item["id"], now - self.sent_at[item["id"]])

        self.listener.client.on("telemetry", telemetry)
        assert (await self.listener.subscribe())["ok"]

    async def work(self, seconds: float) -> None:
        """Publish and ask, evenly, for so long; returns once all that was published is confirmed."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._ask(seconds))
            for number, device in enumerate(self.devices):
                publish = self._publish_over_http if number % 2 else self._publish_over_mqtt
                tasks.create_task(publish(device, seconds))

    async def _publish_over_mqtt(self, device: Device, seconds: float) -> None:
        async with device.mqtt() as client:
            async for reading in self._readings(device, seconds):
                topic, body = f"devices/{device.id}/telemetry", json.dumps(reading)
                await client.publish(topic, body, qos=1, timeout=60)

    async def _publish_over_http(self, device: Device, seconds: float) -> None:
        async with device.http() as http:
            async for reading in self._readings(device, seconds):
                answer = await http.post(f"/devices/{device.id}/telemetry", json=reading)
                assert answer.status_code == 202, answer.text

    async def _readings(self, device: Device, seconds: float) -> AsyncIterator[dict[str, Any]]:
        """One after the other, each when it is time to publish it."""
        every = DEVICES / READINGS_PER_SECOND
        began = time.monotonic()
        for number in range(int(seconds / every)):
            await asyncio.sleep(max(0.0, began + number * every - time.monotonic()))
            name = f"{device.id[-6:]}-{number}"
            self.sent_at[name] = time.monotonic()
            yield {"id": name, "metrics": {"temperature": 21.5}}

    async def _ask(self, seconds: float) -> None:
        began = time.monotonic()
        for number in range(int(seconds * CALLS_PER_SECOND)):
            await asyncio.sleep(max(0.0, began + number / CALLS_PER_SECOND - time.monotonic()))
            path, asked = CALLS[number % len(CALLS)], time.monotonic()
            answer = await self.person.call("GET", path)
            self.api_seconds.append(time.monotonic() - asked)
            if answer.status_code != 200:
                self.api_failures.append(f"{path}: {answer.status_code}")

    async def everything_is_stored(self, timeout: float) -> None:
        """Wait until the API shows each reading that was published."""
        missing: set[str] = set()

        async def stored() -> bool:
            shown = [item["id"] for device in self.devices for item in await self.person.stored(device)]
            missing.clear()
            missing.update(self.sent_at.keys() - set(shown))
            return not missing

        try:
            await eventually(stored, timeout=timeout)
        except AssertionError:
            raise AssertionError(f"{len(missing)} of {len(self.sent_at)} readings are lost") from None


def p99(seconds: list[float]) -> float:
    """The 99th percentile."""
    return sorted(seconds)[int(len(seconds) * 0.99)] if seconds else float("inf")
