"""Publishes readings over MQTT as fast as the broker confirms them; run as a process of its own."""

import json
import sys
import threading
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


class Connection:
    """One MQTT connection that keeps at most WINDOW messages unconfirmed."""

    def __init__(self, login: dict[str, Any]) -> None:
        self._topic = login["topic"]
        self._window = threading.Semaphore(WINDOW)
        self._client = Client(CallbackAPIVersion.VERSION2, client_id=f"bench-{uuid4().hex[:12]}")
        self._client.username_pw_set(login["username"], login["password"])
        self._client.max_inflight_messages_set(WINDOW)
        self._client.on_publish = lambda *_: self._window.release()
        connected = threading.Event()
        self._client.on_connect = lambda *_: connected.set()
        self._client.connect(login["host"], login["port"])
        self._client.loop_start()
        connected.wait(30)

    def publish(self, messages: int, size: int) -> None:
        """Publish and return when everything is confirmed."""
        for _ in range(messages):
            self._window.acquire()
            self._client.publish(self._topic, body(size), qos=1)
        for _ in range(WINDOW):
            self._window.acquire(timeout=30)
        self._client.disconnect()
        self._client.loop_stop()


def main() -> None:
    """Read the plan from standard input, connect, say `ready`, wait for a line, publish."""
    plan = json.loads(sys.stdin.readline())
    connections = [Connection(login) for login in plan["logins"]]
    threads = [
        threading.Thread(target=connection.publish, args=(plan["messages"], plan["size"]))
        for connection in connections
    ]
    print("ready", flush=True)
    sys.stdin.readline()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
