import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import aio_pika
import pytest

from fleet_contracts.events import DeviceDeleted, DeviceRef, TelemetryVolume, VolumeData, encode_event
from fleet_contracts.topology import (
    ATTEMPTS_HEADER,
    MONITORING_TELEMETRY,
    REASON_HEADER,
    TELEMETRY_EXCHANGE,
    telemetry_key,
)
from fleet_kit.consumer import BatchConsumer, DependencyUnavailable, Failure
from fleet_kit.event_handlers import on_each_event
from fleet_kit.failure_router import Delivery, RejectNow, RetryLater
from fleet_kit.ids import uuid7
from fleet_kit.messaging import Publisher
from fleet_kit.testing import eventually

QUEUE = MONITORING_TELEMETRY
Handler = Callable[[list[Delivery]], Awaitable[Sequence[Failure] | None]]


@pytest.fixture
async def publisher(amqp_url: str) -> AsyncIterator[Publisher]:
    publisher = Publisher(amqp_url, "test")
    await _purge(amqp_url)
    yield publisher
    await publisher.close()


@asynccontextmanager
async def consuming(
    url: str, publisher: Publisher, handler: Handler, **options: float
) -> AsyncIterator[BatchConsumer]:
    consumer = BatchConsumer(url, QUEUE, handler, publisher, "test", backoff=(0.05, 0.2), **options)  # type: ignore[arg-type]
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


async def _purge(url: str) -> None:
    connection = await aio_pika.connect(url)
    async with connection:
        channel = await connection.channel()
        for name in (QUEUE.name, QUEUE.dead, *(QUEUE.retry(step) for step in range(4))):
            await (await channel.get_queue(name, ensure=False)).purge()


async def test_messages_come_in_batches_and_are_gone_once_handled(
    amqp_url: str, publisher: Publisher
) -> None:
    await send(publisher, *(str(n).encode() for n in range(250)))
    batches: list[list[bytes]] = []

    async def handler(deliveries: list[Delivery]) -> None:
        batches.append([delivery.body for delivery in deliveries])

    async with consuming(amqp_url, publisher, handler, max_batch=100, max_wait=2):
        await eventually(lambda: _is(lambda: sum(map(len, batches)) == 250))
    assert list(itertools.chain.from_iterable(batches)) == [str(n).encode() for n in range(250)]
    assert max(map(len, batches)) == 100
    assert await depth(amqp_url, QUEUE.name) == 0


async def test_a_message_is_retried_later_and_dead_lettered_with_its_reason_after_its_attempts(
    amqp_url: str, publisher: Publisher
) -> None:
    seen: list[tuple[bytes, int, str]] = []

    async def handler(deliveries: list[Delivery]) -> list[Failure]:
        seen.extend((item.body, item.attempts, item.routing_key) for item in deliveries)
        return [
            Failure(item, RetryLater("not yet", attempts=2)) for item in deliveries if item.body == b"late"
        ]

    await send(publisher, b"good", b"late", b"also good")
    async with consuming(amqp_url, publisher, handler):
        await eventually(lambda: depth(amqp_url, QUEUE.dead), timeout=90)
    assert [item for item in seen if item[0] == b"late"] == [
        (b"late", 0, telemetry_key("d")),
        (b"late", 1, telemetry_key("d")),
    ]
    assert len(seen) == 4
    dead = await _take(amqp_url, QUEUE.dead)
    assert dead.headers[REASON_HEADER] == "not yet"
    assert dead.headers[ATTEMPTS_HEADER] == 2


async def test_a_poison_message_that_breaks_the_handler_does_not_cost_its_neighbours(
    amqp_url: str, publisher: Publisher
) -> None:
    handled: list[bytes] = []

    async def handler(deliveries: list[Delivery]) -> None:
        if any(delivery.body == b"poison" for delivery in deliveries):
            raise ZeroDivisionError("broken by the message")
        handled.extend(delivery.body for delivery in deliveries)

    await send(publisher, b"a", b"poison", b"b")
    async with consuming(amqp_url, publisher, handler):
        await eventually(lambda: _is(lambda: sorted(handled) == [b"a", b"b"]))
        await eventually(lambda: depth(amqp_url, QUEUE.retry(0)))
    assert await depth(amqp_url, QUEUE.name) == 0


async def test_rejected_messages_go_to_the_dead_letters_at_once(amqp_url: str, publisher: Publisher) -> None:
    async def handler(deliveries: list[Delivery]) -> list[Failure]:
        return [Failure(delivery, RejectNow("never")) for delivery in deliveries]

    await send(publisher, b"x")
    async with consuming(amqp_url, publisher, handler):
        await eventually(lambda: depth(amqp_url, QUEUE.dead))
    assert (await _take(amqp_url, QUEUE.dead)).headers[REASON_HEADER] == "never"


async def test_while_the_store_is_away_the_batch_is_held_and_nothing_is_requeued(
    amqp_url: str, publisher: Publisher
) -> None:
    calls = itertools.count(1)
    handled: list[int] = []

    async def handler(deliveries: list[Delivery]) -> None:
        if next(calls) < 4:
            raise DependencyUnavailable("store away")
        handled.extend(delivery.attempts for delivery in deliveries)

    await send(publisher, b"x", b"y")
    async with consuming(amqp_url, publisher, handler) as consumer:
        await eventually(lambda: _is(lambda: len(handled) == 2))
        await consumer.check()
    assert handled == [0, 0]
    assert await depth(amqp_url, QUEUE.name) == 0


async def test_a_message_in_hand_at_a_stop_goes_back_to_the_queue(
    amqp_url: str, publisher: Publisher
) -> None:
    entered = asyncio.Event()

    async def handler(_: list[Delivery]) -> None:
        entered.set()
        raise DependencyUnavailable("store away")

    await send(publisher, b"x")
    async with consuming(amqp_url, publisher, handler):
        await entered.wait()
    await eventually(lambda: depth(amqp_url, QUEUE.name))
    assert await depth(amqp_url, QUEUE.dead) == 0


async def test_unknown_events_are_skipped_and_broken_ones_rejected() -> None:
    handled: list[str] = []

    async def handle(event: object) -> None:
        handled.append(type(event).__name__)

    device = uuid7()
    deleted = DeviceDeleted(source="t", subject=str(device), data=DeviceRef(id=device))
    volume = TelemetryVolume(source="t", subject="t", data=VolumeData(volumes=[]))
    good = encode_event(deleted.model_copy(update={"organizationid": uuid7()}))
    nobodys = (encode_event(deleted), encode_event(volume))
    bodies = (good, b'{"type": "device.teleported"}', b'{"type": "device.deleted"}', b"\xff", *nobodys)
    failures = await on_each_event(handle)([_delivery(body) for body in bodies])
    assert handled == ["DeviceDeleted"]
    assert [failure.delivery.body for failure in failures or ()] == [*bodies[2:]]


def _delivery(body: bytes) -> Delivery:
    from datetime import UTC, datetime

    return Delivery(body, "device.deleted", None, {}, 0, datetime.now(UTC))


async def _take(url: str, name: str) -> aio_pika.abc.AbstractIncomingMessage:
    connection = await aio_pika.connect(url)
    async with connection:
        channel = await connection.channel()
        message = await (await channel.get_queue(name, ensure=False)).get(timeout=5)
        assert message is not None
        await message.ack()
        return message


async def _is(check: Callable[[], bool]) -> bool:
    return check()


async def test_a_consumer_comes_back_when_its_queue_was_deleted_and_made_again(
    amqp_url: str, publisher: Publisher
) -> None:
    handled: list[bytes] = []

    async def handler(deliveries: list[Delivery]) -> None:
        handled.extend(delivery.body for delivery in deliveries)

    connection = await aio_pika.connect(amqp_url)
    async with connection, connection.channel() as channel:
        name = "test.deleted"
        await channel.declare_queue(name)
        queue = replace(QUEUE, name=name)
        consumer = BatchConsumer(amqp_url, queue, handler, publisher, "test", backoff=(0.05, 0.2))
        task = asyncio.create_task(consumer.run())
        for body in (b"first", b"second"):
            await channel.default_exchange.publish(aio_pika.Message(body), name)
            await eventually(lambda body=body: _is(lambda: body in handled))  # type: ignore[misc]
            await channel.queue_delete(name)
            await channel.declare_queue(name)
        await consumer.stop()
        await task
        await channel.queue_delete(name)
