"""Row live: milliseconds from publish to a Socket.IO client."""

import json
import statistics
import time
from datetime import UTC, datetime
from uuid import uuid4

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from bench.access import Device, Fleet, Row
from bench.ingest import line, process

CLIENTS = 50
DEVICES = 10
RATE = 500
SECONDS = 20
REACH_MS = 250


def run(fleet: Fleet) -> Row:
    """Fifty clients, five hundred readings a second; raw is the same publisher to a bare MQTT subscriber."""
    devices = fleet.devices(DEVICES)
    time.sleep(2)  # the facts of the new devices reach monitoring-service by event
    expected = RATE * SECONDS
    plan = {
        "url": fleet.access["gateway_url"],
        "token": fleet.token,
        "devices": [device.id for device in devices],
        "clients": CLIENTS,
        "expected": expected,
        "seconds": SECONDS + 30,
    }
    clients = process("bench.live_clients", plan)
    assert line(clients) == "ready"
    sent = _publish(fleet, devices)
    arrivals = json.loads(line(clients))
    clients.wait(30)
    for mine in arrivals:
        assert len(mine) == len({name for name, _ in mine}) == expected, "each client gets each reading once"
    delays = sorted((at - sent[name]) * 1000 for mine in arrivals for name, at in mine)
    p50, p99 = statistics.median(delays), delays[int(len(delays) * 0.99)]
    raw = _bare(fleet, devices[0])
    figure = f"p50 {p50:.0f} ms, p99 {p99:.0f} ms"
    limit = f"broker alone: p99 {raw:.0f} ms"
    return Row("live", figure, limit, f"{p99 / raw:.1f}", f"p99 {REACH_MS} ms", p99 <= REACH_MS)


def connect(fleet: Fleet, device: Device) -> Client:
    """An MQTT client of a device, which runs in a thread of its own."""
    client = Client(CallbackAPIVersion.VERSION2, client_id=f"bench-{uuid4().hex[:12]}")
    client.username_pw_set(device.id, device.key)
    client.max_inflight_messages_set(200)
    client.connect(fleet.access["mqtt_host"], fleet.access["mqtt_port"])
    client.loop_start()
    return client


def _leave(client: Client) -> None:
    """Disconnect once everything that was published is confirmed."""
    deadline = time.monotonic() + 30
    while client._out_messages and time.monotonic() < deadline:
        time.sleep(0.05)
    client.disconnect()
    client.loop_stop()


def _publish(fleet: Fleet, devices: list[Device]) -> dict[str, float]:
    """Publish at RATE over all devices; when each reading was sent, by id."""
    clients = [(connect(fleet, device), f"devices/{device.id}/telemetry") for device in devices]
    sent: dict[str, float] = {}
    start = time.monotonic()
    for number in range(RATE * SECONDS):
        time.sleep(max(0.0, start + number / RATE - time.monotonic()))
        client, topic = clients[number % len(clients)]
        name = uuid4().hex
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        body = json.dumps({"id": name, "ts": now, "metrics": {"value": number}})
        sent[name] = time.time()
        client.publish(topic, body, qos=1)
    for client, _ in clients:
        _leave(client)
    return sent


def _bare(fleet: Fleet, device: Device) -> float:
    """The broker alone: p99 in milliseconds from publish to its confirmation, at the same rate."""
    client = connect(fleet, device)
    started: dict[int, float] = {}
    confirmed: dict[int, float] = {}

    def on_publish(_: object, __: object, number: int, *___: object) -> None:
        confirmed[number] = time.monotonic()  # without a lock: publish() may hold paho's while it waits

    client.on_publish = on_publish
    start = time.monotonic()
    for number in range(RATE * 5):
        time.sleep(max(0.0, start + number / RATE - time.monotonic()))
        body = json.dumps({"id": uuid4().hex, "metrics": {"value": number}})
        begin = time.monotonic()
        started[client.publish(f"devices/{device.id}/telemetry", body, qos=1).mid] = begin
    _leave(client)
    delays = sorted((confirmed[number] - begin) * 1000 for number, begin in started.items())
    return delays[int(len(delays) * 0.99)]
