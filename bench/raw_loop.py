"""The bare loop that ingestion is compared with: aio-pika consume, decode, insert_many, acknowledge."""

import asyncio
import json
import sys
import time
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import aio_pika
import orjson
import uvloop
from pymongo import AsyncMongoClient

from fleet_contracts.topology import DEVICES_VHOST
from fleet_kit.messaging import in_vhost

BATCH = 500
WINDOW_SECONDS = 0.05
QUEUE = "bench.raw"
DEVICE, ORGANIZATION = str(uuid4()), str(uuid4())
INDEXES = (("device_id", "ts"), ("organization_id", "seq"))


async def prepare(mongo_url: str, database: str) -> Any:
    """An empty collection with the same secondary indexes as the platform's."""
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(mongo_url, w="majority", journal=True)
    collection = client[database]["bench_raw"]
    await collection.drop()
    for first, second in INDEXES:
        await collection.create_index([(first, 1), (second, 1)])
    return collection


def document(name: str, metrics: dict[str, Any], now: datetime, number: int) -> dict[str, Any]:
    """A reading as the platform stores it: ids of the same length, the same indexed fields."""
    return {
        "_id": f"{DEVICE}:{name}",
        "organization_id": ORGANIZATION,
        "device_id": DEVICE,
        "id": name,
        "ts": now,
        "received_at": now,
        "metrics": metrics,
        "seq": number,
    }


def documents(bodies: list[bytes], start: int) -> list[dict[str, Any]]:
    """What the loop stores: the decoded readings, unchecked."""
    now = datetime.now(UTC)
    found: list[dict[str, Any]] = []
    for raw in bodies:
        decoded = orjson.loads(raw)
        for reading in decoded if isinstance(decoded, list) else [decoded]:
            found.append(document(reading["id"], reading["metrics"], now, start + len(found)))
    return found


async def consume(plan: dict[str, Any]) -> None:
    """Store `expected` readings, then print how many seconds passed since the first message."""
    collection = await prepare(plan["mongo_url"], plan["database"])
    connection = await aio_pika.connect(in_vhost(plan["amqp_url"], DEVICES_VHOST))
    channel = await connection.channel()
    await channel.set_qos(prefetch_count=1000)
    queue = await channel.declare_queue(QUEUE, durable=True, arguments={"x-queue-type": "quorum"})
    await queue.bind("amq.topic", "bench.*.telemetry")
    inbox: asyncio.Queue[aio_pika.abc.AbstractIncomingMessage] = asyncio.Queue()
    await queue.consume(inbox.put)
    print("ready", flush=True)
    stored, first = 0, 0.0
    while stored < plan["expected"]:
        batch = [await inbox.get()]
        first = first or time.monotonic()
        deadline = time.monotonic() + WINDOW_SECONDS
        while len(batch) < BATCH and (left := deadline - time.monotonic()) > 0:
            try:
                batch.append(await asyncio.wait_for(inbox.get(), left))
            except TimeoutError:
                break
        found = documents([message.body for message in batch], stored)
        for start in range(0, len(found), 2000):
            await collection.insert_many(found[start : start + 2000], ordered=False)
        await batch[-1].ack(multiple=True)
        stored += len(found)
    print(json.dumps({"seconds": time.monotonic() - first}), flush=True)
    await queue.delete(if_unused=False, if_empty=False)
    await connection.close()


async def insert_only(plan: dict[str, Any]) -> None:
    """The store's own rate: insert_many of ready documents, nothing else."""
    collection = await prepare(plan["mongo_url"], plan["database"])
    now = datetime.now(UTC)
    metrics = {"temperature": 21.5, "battery": 0.93, "data_bytes": 1200}
    batches = [
        [document(uuid4().hex, metrics, now, start + number) for number in range(plan["size"])]
        for start in range(0, plan["expected"], plan["size"])
    ]
    begin = time.monotonic()
    for batch in batches:
        await collection.insert_many(batch, ordered=False)
    print(json.dumps({"seconds": time.monotonic() - begin}), flush=True)


if __name__ == "__main__":
    arguments = json.loads(sys.stdin.readline())
    uvloop.run((insert_only if arguments["mode"] == "insert" else consume)(arguments))
