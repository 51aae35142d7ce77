import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import aio_pika

from fleet_contracts.topology import MONITORING_TELEMETRY, TELEMETRY_EXCHANGE, Queue, telemetry_key
from fleet_kit.consumer import BatchConsumer, Failure
from fleet_kit.failure_router import Delivery
from fleet_kit.messaging import Publisher

QUEUE = MONITORING_TELEMETRY
Handler = Callable[[list[Delivery]], Awaitable[Sequence[Failure] | None]]


@asynccontextmanager
async def consuming(
    url: str, publisher: Publisher, handler: Handler, *, queue: Queue = QUEUE, **options: Any
) -> AsyncIterator[BatchConsumer]:
    consumer = BatchConsumer(url, queue, handler, publisher, "test", backoff=(0.05, 0.2), **options)
    task = asyncio.create_task(consumer.run())
    try:
        yield consumer
    finally:
        await consumer.stop()
        async with asyncio.timeout(60):
            with suppress(asyncio.CancelledError):
                await task


async def send(publisher: Publisher, *bodies: bytes) -> None:
    for number, body in enumerate(bodies):
        await publisher.publish(TELEMETRY_EXCHANGE, telemetry_key("d"), body, message_id=f"m{number}")


async def depth(url: str, name: str) -> int:
    connection = await aio_pika.connect(url)
    async with connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(name, passive=True)
        return queue.declaration_result.message_count or 0


async def purge(url: str, queue: Queue = QUEUE) -> None:
    connection = await aio_pika.connect(url)
    async with connection:
        channel = await connection.channel()
        for name in (queue.name, queue.dead, *(queue.retry(step) for step in range(4))):
            await (await channel.get_queue(name, ensure=False)).purge()


async def take(url: str, name: str) -> aio_pika.abc.AbstractIncomingMessage:
    connection = await aio_pika.connect(url)
    async with connection:
        channel = await connection.channel()
        message = await (await channel.get_queue(name, ensure=False)).get(timeout=5)
        assert message is not None
        await message.ack()
        return message


async def holds(check: Callable[[], bool]) -> bool:
    return check()
