"""Counts what waits for a queue and its dead letters while it is consumed, for a metric and the health."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import structlog
from aio_pika.abc import AbstractChannel, AbstractConnection

from fleet_contracts.topology import RETRY_DELAYS_SECONDS, Queue
from fleet_kit.consumer_health import ConsumerHealth
from fleet_kit.consumer_metrics import DEAD_LETTERS
from fleet_kit.messaging import BROKER_ERRORS

log = structlog.get_logger(__name__)
EVERY_SECONDS = 30.0
_ENDS_SECONDS = 2.0


@asynccontextmanager
async def watch_dead_letters(
    connection: AbstractConnection, queue: Queue, health: ConsumerHealth
) -> AsyncIterator[None]:
    """Count in the background, over a channel of its own; nothing that happens there ends the consumer."""
    ended = asyncio.Event()
    task = asyncio.create_task(_watch(connection, queue, health, ended))
    try:
        yield
    finally:
        # The driver swallows a cancellation while it closes a channel: the event ends the task then.
        ended.set()
        task.cancel()
        await asyncio.wait({task}, timeout=_ENDS_SECONDS)


async def _watch(
    connection: AbstractConnection, queue: Queue, health: ConsumerHealth, ended: asyncio.Event
) -> None:
    steps = [queue.retry(step) for step in range(len(RETRY_DELAYS_SECONDS))]
    while not ended.is_set():
        try:
            async with connection.channel() as channel:
                dead = await _depth(channel, queue.dead)
                health.counted(dead=dead, waiting=sum([await _depth(channel, name) for name in steps]))
                DEAD_LETTERS.labels(queue.name).set(dead)
        except BROKER_ERRORS as error:
            log.info("dead letters not counted", queue=queue.name, error=repr(error))
        with suppress(TimeoutError):
            async with asyncio.timeout(EVERY_SECONDS):
                await ended.wait()


async def _depth(channel: AbstractChannel, name: str) -> int:
    declared = await channel.declare_queue(name, passive=True, timeout=10)
    return declared.declaration_result.message_count or 0
