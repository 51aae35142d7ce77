"""Row start: seconds from bringing the fleet up to the first live reading, and the memory of it all."""

import asyncio
import time
from typing import Any

import httpx
import psutil
import socketio
from rich.console import Console

from bench.access import Row
from fleet_infra import teardown
from fleet_infra.fleet import Fleet
from fleet_infra.layout import Layout
from fleet_infra.progress import Steps
from fleet_infra.settings import FleetSettings

REACH_SECONDS = 45
REACH_BYTES = 2 * 1024**3
TIME_LIMIT = 180


class Clocked(Steps):
    """Notes how long each step took; the slowest server alone is the raw limit."""

    def __init__(self) -> None:
        super().__init__(Console(quiet=True))
        self.seconds: dict[str, float] = {}

    def step(self, title: str) -> Any:
        """See Steps."""
        return _Timed(super().step(title), self.seconds, title)


class _Timed:
    def __init__(self, inner: Any, seconds: dict[str, float], title: str) -> None:
        self._inner, self._seconds, self._title = inner, seconds, title

    def __enter__(self) -> None:
        self._started = time.monotonic()
        self._inner.__enter__()

    def __exit__(self, *error: object) -> Any:
        self._seconds[self._title] = time.monotonic() - self._started
        return self._inner.__exit__(*error)


def run(layout: Layout, settings: FleetSettings) -> Row:
    """Stop the fleet, start it as `make up` does, and wait for the first reading at a live client."""
    fleet = Fleet(layout, settings)
    teardown.stop(layout)
    steps = Clocked()
    started = time.monotonic()
    with steps:
        access = fleet.up(steps)
    first = _first_reading(access) - started
    memory = _memory(layout)
    broker = steps.seconds["RabbitMQ"]
    figure = f"{first:.0f} s, {memory / 1024**3:.2f} GB"
    reached = first <= REACH_SECONDS and memory <= REACH_BYTES
    return Row(
        "start", figure, f"broker alone: {broker:.0f} s", f"{first / broker:.1f}", "45 s, 2 GB", reached
    )


def _first_reading(access: dict[str, Any]) -> float:
    """When a browser's connection, logged in as the demo user, had its first reading."""
    login = {"email": access["demo_email"], "password": access["demo_password"]}
    answer = httpx.post(f"{access['gateway_url']}/api/v1/auth/login", json=login).raise_for_status()
    return asyncio.run(_listen(access["gateway_url"], answer.json()["access_token"]))


async def _listen(url: str, token: str) -> float:
    arrived = asyncio.Event()
    client = socketio.AsyncClient(reconnection=False)

    async def on_telemetry(_: Any) -> None:
        arrived.set()

    client.on("telemetry", on_telemetry)
    await client.connect(url, socketio_path="/ws/monitoring", transports=["websocket"], auth={"token": token})
    await client.call("subscribe", {})
    async with asyncio.timeout(TIME_LIMIT):
        await arrived.wait()
    now = time.monotonic()
    await client.disconnect()
    return now


def _memory(layout: Layout) -> int:
    """Proportional set size of every process of the fleet, in bytes: shared pages count once."""
    root = psutil.Process(int(layout.supervisor_pid.read_text()))
    processes = [root, *root.children(recursive=True)]
    return sum(int(process.memory_full_info().pss) for process in processes)
