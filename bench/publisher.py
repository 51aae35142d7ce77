"""Publishes readings over MQTT as fast as the broker confirms them; run as a process of its own."""

import json
import sys
import threading
import time
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

WINDOW = 200
"""Unconfirmed messages per connection."""


def body(size: int) -> bytes:
    """One message of `size` readings with ids and times of their own."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    readings: list[dict[str, Any]] = [
        {"id": uuid4().hex, "ts": now, "metrics": {"temperature": 21.5, "battery": 0.93, "data_bytes": 1200}}
        for _ in range(size)
    ]
    return json.dumps(readings[0] if size == 1 else readings).encode()


def publish(login: dict[str, Any], messages: int, size: int, rate: float) -> None:
    """Publish on one connection; returns when everything is confirmed."""
    window = threading.Semaphore(WINDOW)
    client = Client(CallbackAPIVersion.VERSION2, client_id=f"bench-{uuid4().hex[:12]}")
    client.username_pw_set(login["username"], login["password"])
    client.max_inflight_messages_set(WINDOW)
    client.on_publish = lambda *_: window.release()
    client.connect(login["host"], login["port"])
    client.loop_start()
    start = time.monotonic()
    for number in range(messages):
        if rate:
            time.sleep(max(0.0, start + number / rate - time.monotonic()))
        window.acquire()
        client.publish(login["topic"], body(size), qos=1)
    for _ in range(WINDOW):
        window.acquire(timeout=30)
    client.disconnect()
    client.loop_stop()


def main() -> None:
    """Read the plan from standard input, say `ready`, wait for a line, publish, print the seconds it took."""
    plan = json.loads(sys.stdin.readline())
    threads = [
        threading.Thread(target=publish, args=(login, plan["messages"], plan["size"], plan["rate"]))
        for login in plan["logins"]
    ]
    start = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps({"seconds": time.monotonic() - start}), flush=True)


if __name__ == "__main__":
    main()
