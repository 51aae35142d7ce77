"""What the fleet survives, judged by ids: nothing accepted is lost, nothing is stored twice or unexpected.

The suite runs each fault for seconds; FAULT_SECONDS, FAULT_RATE and FAULT_KILLS make it a long trial:
`FAULT_SECONDS=120 FAULT_RATE=300 FAULT_KILLS=10 make test ARGS="tests/test_faults.py -s"`.
"""

import asyncio
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pymongo
import pytest

pytestmark = pytest.mark.fleet
Join = Callable[[], Awaitable[Any]]
SECONDS = int(os.environ.get("FAULT_SECONDS", "12"))
RATE = int(os.environ.get("FAULT_RATE", "100"))
KILLS = int(os.environ.get("FAULT_KILLS", "3"))
DEVICES = 20
SETTLE_SECONDS = 60


async def simulate(
    fleet: dict[str, Any], person: Any, folder: Path, transport: str = "mqtt"
) -> asyncio.subprocess.Process:
    """Start the simulator for SECONDS as that person; its ids go to folder/ids.jsonl."""
    access = folder / "access.json"
    access.write_text(
        json.dumps(fleet | {"demo_email": person.email, "demo_password": "correct horse battery"})
    )
    access.chmod(0o600)
    options = {
        "--devices": DEVICES,
        "--rate": RATE / DEVICES,
        "--duration": SECONDS,
        "--transport": transport,
        "--ids-file": folder / "ids.jsonl",
        "--access": access,
    }
    arguments = [str(part) for pair in options.items() for part in pair]
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "device_simulator",
        *arguments,
        stdout=(folder / "out.txt").open("wb"),
        stderr=asyncio.subprocess.STDOUT,
    )


class Trial:
    """Compares the simulator's own account with the store."""

    def __init__(self, fleet: dict[str, Any], folder: Path) -> None:
        self._fleet, self._folder = fleet, folder

    def account(self) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
        """(attempted, accepted) as pairs of device and reading."""
        rows = [json.loads(line) for line in (self._folder / "ids.jsonl").read_text().splitlines()]
        attempted = {(row["device_id"], row["id"]) for row in rows}
        return attempted, {(row["device_id"], row["id"]) for row in rows if row["accepted"]}

    def stored(self, devices: set[str]) -> "Counter[tuple[str, str]]":
        """Every stored reading of the devices, with how often it is stored."""
        with pymongo.MongoClient[dict[str, Any]](self._fleet["mongo_url"]) as client:
            found = client["monitoring"]["readings"].find({"device_id": {"$in": list(devices)}})
            return Counter((item["device_id"], item["id"]) for item in found)

    async def judge(self) -> None:
        """Wait until everything accepted is stored, then hold the three rules."""
        attempted, accepted = self.account()
        devices = {device for device, _ in attempted}
        assert len(accepted) > 0.5 * RATE * SECONDS, (self._folder / "out.txt").read_text()
        deadline = time.monotonic() + SETTLE_SECONDS
        while len(accepted - set(stored := self.stored(devices))) > 0 and time.monotonic() < deadline:
            await asyncio.sleep(1)
        lost, unexpected = accepted - set(stored), set(stored) - attempted
        twice = [pair for pair, times in stored.items() if times > 1]
        print(f"attempted {len(attempted)}, accepted {len(accepted)}, stored {len(stored)}, lost {len(lost)}")
        assert (len(lost), len(unexpected), len(twice)) == (0, 0, 0)


async def dead_letters(fleet: dict[str, Any]) -> int:
    import httpx

    login = (fleet["rabbitmq_user"], fleet["rabbitmq_password"])
    async with httpx.AsyncClient(auth=login, base_url=fleet["rabbitmq_management_url"], timeout=60) as http:
        queue = (await http.get("/api/queues/%2F/monitoring.telemetry.dead")).json()
        return int(queue.get("messages", 0))


@pytest.fixture
async def trial(
    fleet: dict[str, Any], join: Join, tmp_path: Path, request: pytest.FixtureRequest
) -> Callable[[Callable[[], Awaitable[None]]], Awaitable[None]]:
    """Runs the simulator, does harm meanwhile, and judges."""

    async def run(harm: Callable[[], Awaitable[None]]) -> None:
        person = await join()
        simulator = await simulate(fleet, person, tmp_path, getattr(request, "param", "mqtt"))
        try:
            await asyncio.sleep(SECONDS / 6)
            await harm()
            await asyncio.wait_for(simulator.wait(), SECONDS + 200)
        finally:
            if simulator.returncode is None:
                simulator.kill()
        await Trial(fleet, tmp_path).judge()

    return run


async def test_killing_the_worker_again_and_again_loses_nothing_and_dead_letters_nothing(
    trial: Any, control: Any, fleet: dict[str, Any]
) -> None:
    async def harm() -> None:
        for _ in range(KILLS):
            await control.kill("monitoring-worker")
            await asyncio.sleep(SECONDS * 0.6 / KILLS)

    await trial(harm)
    assert await dead_letters(fleet) == 0


async def test_a_broker_restart_loses_nothing_and_every_consumer_comes_back(trial: Any, control: Any) -> None:
    async def harm() -> None:
        await asyncio.to_thread(control.restart, "servers", "rabbitmq")

    await trial(harm)


@pytest.mark.parametrize("trial", ["http"], indirect=True)
async def test_a_broker_restart_loses_nothing_over_http(trial: Any, control: Any) -> None:
    async def harm() -> None:
        await asyncio.to_thread(control.restart, "servers", "rabbitmq")

    await trial(harm)


async def test_a_store_that_is_away_is_waited_for(trial: Any, control: Any) -> None:
    async def harm() -> None:
        await asyncio.to_thread(control.stop, "servers", "mongo")
        await asyncio.sleep(SECONDS / 2)
        control.start("servers")

    await trial(harm)


async def test_redis_away_costs_no_reading(trial: Any, control: Any) -> None:
    async def harm() -> None:
        await asyncio.to_thread(control.stop, "servers", "redis")
        await asyncio.sleep(SECONDS / 2)
        control.start("servers")

    await trial(harm)


async def test_killing_every_service_once_loses_nothing(trial: Any, control: Any) -> None:
    async def harm() -> None:
        for name in (
            "monitoring-service",
            "device-service",
            "device-worker",
            "signing-service",
            "signing-worker",
        ):
            await control.kill(name)
            await asyncio.sleep(0.5)

    await trial(harm)
