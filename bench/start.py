"""Row start: seconds from `make up` (everything installed) to the first live reading, and the memory of it all."""

import json
import os
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import psutil
import socketio

from bench.access import Row

REACH_SECONDS = 45
REACH_BYTES = 2 * 1024**3
TIME_LIMIT = 180


def run(environment: dict[str, str], access_file: Path) -> Row:
    """Start the fleet as a user does; raw is the time that the broker alone needs, the slowest server."""
    started = time.monotonic()
    up = threading.Thread(target=_up, args=(environment,))
    up.start()
    while not _page_answers(environment):
        time.sleep(0.2)
        assert time.monotonic() - started < TIME_LIMIT, "the fleet did not start"
    first = _first_reading(access_file, started)
    up.join()
    memory = _memory(access_file)
    figure = f"{first:.0f} s, {memory / 1024**3:.2f} GB"
    broker = _broker_boot(access_file)
    reached = first <= REACH_SECONDS and memory <= REACH_BYTES
    return Row("start", figure, f"broker alone: {broker:.0f} s", f"{first / broker:.1f}", "45 s, 2 GB", reached)


def _up(environment: dict[str, str]) -> None:
    subprocess.run(["make", "up"], env=environment, check=True, stdout=subprocess.DEVNULL)


def _page_answers(environment: dict[str, str]) -> bool:
    try:
        port = environment.get("GATEWAY_PORT", "8080")
        return httpx.get(f"http://127.0.0.1:{port}/health", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


def _first_reading(access_file: Path, started: float) -> float:
    """Seconds until a browser's connection, logged in as the demo user, got its first reading."""
    deadline = started + TIME_LIMIT
    while time.monotonic() < deadline:
        access: dict[str, Any] = json.loads(access_file.read_text())
        login = {"email": access["demo_email"], "password": access["demo_password"]}
        answer = httpx.post(f"{access['gateway_url']}/api/v1/auth/login", json=login)
        if answer.status_code == 200:
            return _listen(access["gateway_url"], answer.json()["access_token"]) - started
        time.sleep(0.2)
    raise TimeoutError("nobody could log in")


def _listen(url: str, token: str) -> float:
    arrived = threading.Event()
    with socketio.SimpleClient() as _:
        pass
    client = socketio.Client()
    client.on("telemetry", lambda items: arrived.set())
    client.connect(url, socketio_path="/ws/monitoring", transports=["websocket"], auth={"token": token})
    client.call("subscribe", {})
    assert arrived.wait(TIME_LIMIT), "no live reading"
    now = time.monotonic()
    client.disconnect()
    return now


def _memory(access_file: Path) -> int:
    """Proportional set size of every process of the fleet, in bytes: shared pages count once."""
    supervisor = int((access_file.parent / "supervisord.pid").read_text())
    root = psutil.Process(supervisor)
    return sum(process.memory_full_info().pss for process in [root, *root.children(recursive=True)])


def _broker_boot(access_file: Path) -> float:
    """Seconds from the broker's start to its first accepted connection, as its own log and pid say."""
    for file in (access_file.parent / "pids").glob("rabbitmq*.pid"):
        born = psutil.Process(int(file.read_text())).create_time()
        ready = (access_file.parent / "logs" / "rabbitmq.log").stat().st_ctime
        return max(1.0, ready - born)
    raise FileNotFoundError("the broker's pid file")


if __name__ == "__main__":
    print(run(dict(os.environ), Path(".fleet/access.json")))
