"""Rows ingest-single and ingest-batch: readings a second from MQTT to the store."""

import json
import re
import subprocess
import sys
import time
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx
from pymongo import MongoClient

from bench.access import Fleet, Row
from bench.rounds import compare

CONNECTIONS = 4
DATABASE = "monitoring"


def process(module: str, plan: dict[str, Any]) -> "subprocess.Popen[str]":
    """Start a measuring process and hand it its plan."""
    started = subprocess.Popen(
        [sys.executable, "-m", module], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert started.stdin is not None
    started.stdin.write(json.dumps(plan) + "\n")
    started.stdin.flush()
    return started


def line(started: "subprocess.Popen[str]") -> str:
    """The next line that the process prints."""
    assert started.stdout is not None
    return started.stdout.readline().strip()


def seconds(started: "subprocess.Popen[str]") -> float:
    """What the process measured."""
    return float(json.loads(line(started))["seconds"])


def connected(doors: list[dict[str, Any]], messages: int, size: int) -> "subprocess.Popen[str]":
    """A publisher that waits for its go."""
    publisher = process("bench.publisher", {"logins": doors, "messages": messages, "size": size})
    assert line(publisher) == "ready"
    return publisher


def go(publisher: "subprocess.Popen[str]") -> None:
    """Let it publish."""
    assert publisher.stdin is not None
    publisher.stdin.write("\n")
    publisher.stdin.flush()


def logins(fleet: Fleet, *, raw: bool) -> list[dict[str, Any]]:
    """MQTT logins: devices of the platform, or the access user on topics that the platform does not read."""
    place = {"host": fleet.access["mqtt_host"], "port": fleet.access["mqtt_port"]}
    if raw:
        user = urlsplit(fleet.access["amqp_url"])
        login = {"username": unquote(user.username or ""), "password": unquote(user.password or "")}
        return [place | login | {"topic": f"bench/{n}/telemetry"} for n in range(CONNECTIONS)]
    return [
        place | {"username": device.id, "password": device.key, "topic": f"devices/{device.id}/telemetry"}
        for device in fleet.devices(CONNECTIONS)
    ]


def platform(fleet: Fleet, messages: int, size: int) -> float:
    """Readings a second, from the first publish until the last is stored."""
    doors = logins(fleet, raw=False)
    time.sleep(2)  # the facts of the new devices reach monitoring-service by event
    expected = messages * size * CONNECTIONS
    publisher = connected(doors, messages, size)
    with httpx.Client() as metrics:
        before, start = _stored(metrics, fleet), time.monotonic()
        go(publisher)
        while (stored := _stored(metrics, fleet) - before) < expected:
            time.sleep(0.1)
            if time.monotonic() - start > 300:
                raise TimeoutError(f"{stored} of {expected} stored after 300 s")
    rate = expected / (time.monotonic() - start)
    publisher.wait(30)
    with MongoClient[dict[str, Any]](fleet.access["mongo_url"]) as client:
        wanted = {"device_id": {"$in": [door["username"] for door in doors]}}
        kept = client[DATABASE]["readings"].count_documents(wanted)
    assert kept == expected, "every accepted reading is stored once"
    return rate


def _stored(metrics: httpx.Client, fleet: Fleet) -> int:
    """Readings that the worker has stored, as its metrics say: asking the store would cost it."""
    text = metrics.get(fleet.worker_metrics).text
    found = re.search(r"^monitoring_readings_stored_total (\S+)$", text, re.MULTILINE)
    return int(float(found[1])) if found else 0


def bare_loop(fleet: Fleet, messages: int, size: int) -> float:
    """The same publisher into the bare loop."""
    expected = messages * size * CONNECTIONS
    plan = {
        "mode": "consume",
        "mongo_url": fleet.access["mongo_url"],
        "amqp_url": fleet.broker_url,
        "database": "bench",
        "expected": expected,
    }
    loop = process("bench.raw_loop", plan)
    assert line(loop) == "ready"
    publisher = connected(logins(fleet, raw=True), messages, size)
    start = time.monotonic()
    go(publisher)
    seconds(loop)
    rate = expected / (time.monotonic() - start)
    publisher.wait(30)
    loop.wait(30)
    return rate


def insert_rate(fleet: Fleet, expected: int, size: int) -> float:
    """Documents a second of the store's own insert_many."""
    plan = {"mode": "insert", "mongo_url": fleet.access["mongo_url"], "database": "bench"}
    return expected / seconds(process("bench.raw_loop", plan | {"expected": expected, "size": size}))


def single(fleet: Fleet) -> Row:
    """One reading a message."""
    compared = compare(lambda: platform(fleet, 5000, 1), lambda: bare_loop(fleet, 5000, 1))
    return compared.row("ingest-single", "readings/s", 0.7)


def batch(fleet: Fleet) -> Row:
    """Twenty readings a message."""
    compared = compare(lambda: platform(fleet, 750, 20), lambda: insert_rate(fleet, 60_000, 500))
    return compared.row("ingest-batch", "readings/s", 0.8)
