"""Live clients: each notes when a reading arrives; run as a process of its own."""

import asyncio
import json
import sys
import time
from typing import Any

import socketio
import uvloop


async def listen(plan: dict[str, Any], arrivals: list[tuple[str, float]]) -> socketio.AsyncClient:
    """One connected and subscribed client that appends (reading id, seconds since the epoch)."""
    client = socketio.AsyncClient(reconnection=False)

    async def on_telemetry(items: list[dict[str, Any]]) -> None:
        now = time.time()
        arrivals.extend((item["id"], now) for item in items)

    client.on("telemetry", on_telemetry)
    await client.connect(
        plan["url"], socketio_path="/ws/monitoring", transports=["websocket"], auth={"token": plan["token"]}
    )
    answer = await client.call("subscribe", {"devices": plan["devices"]})
    assert answer["ok"], answer
    return client


async def main(plan: dict[str, Any]) -> None:
    """Connect, say ready, collect until every client has everything or the time is over."""
    arrivals: list[list[tuple[str, float]]] = [[] for _ in range(plan["clients"])]
    clients = await asyncio.gather(*(listen(plan, mine) for mine in arrivals))
    print("ready", flush=True)
    deadline = time.monotonic() + plan["seconds"]
    while time.monotonic() < deadline and min(map(len, arrivals)) < plan["expected"]:
        await asyncio.sleep(0.2)
    print(json.dumps(arrivals), flush=True)
    for client in clients:
        await client.disconnect()


if __name__ == "__main__":
    uvloop.run(main(json.loads(sys.stdin.readline())))
