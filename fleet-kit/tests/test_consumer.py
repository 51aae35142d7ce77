import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import aio_pika
import pytest
from prometheus_client import REGISTRY

from fleet_contracts.events import DeviceDeleted, DeviceRef, TelemetryVolume, VolumeData, encode_event
from fleet_contracts.topology import (
    ATTEMPTS_HEADER,
    DEAD_EXCHANGE,
    REASON_HEADER,
    telemetry_key,
)
from fleet_kit.consumer import DependencyUnavailable, Failure
from fleet_kit.consumer_health import MAX_RESTARTS
from fleet_kit.event_handlers import on_each_event
from fleet_kit.failure_router import Delivery, RejectNow, RetryLater
from fleet_kit.health import run_checks
from fleet_kit.ids import uuid7
from fleet_kit.messaging import Publisher
from fleet_kit.testing import eventually

from .support import QUEUE, consuming, depth, holds, send, take

SHORT_LIVED = replace(QUEUE, name="test.deleted")


async def test_messages_come_in_batches_and_are_gone_once_handled(
    amqp_url: str, publisher: Publisher
) -> None:
    await send(publisher, *(str(n).encode() for n in range(250)))
    batches: list[list[bytes]] = []

    async def handler(deliveries: list[Delivery]) -> None:
        batches.append([delivery.body for delivery in deliveries])

    async with consuming(amqp_url, publisher, handler, max_batch=100, max_wait=2):
        await eventually(lambda: holds(lambda: sum(map(len, batches)) == 250))
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
    dead = await take(amqp_url, QUEUE.dead)
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
        await eventually(lambda: holds(lambda: sorted(handled) == [b"a", b"b"]))
        await eventually(lambda: depth(amqp_url, QUEUE.retry(0)))
    assert await depth(amqp_url, QUEUE.name) == 0


async def test_rejected_messages_go_to_the_dead_letters_at_once(amqp_url: str, publisher: Publisher) -> None:
    async def handler(deliveries: list[Delivery]) -> list[Failure]:
        return [Failure(delivery, RejectNow("never")) for delivery in deliveries]

    await send(publisher, b"x")
    async with consuming(amqp_url, publisher, handler):
        await eventually(lambda: depth(amqp_url, QUEUE.dead))
    assert (await take(amqp_url, QUEUE.dead)).headers[REASON_HEADER] == "never"


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
        await eventually(lambda: holds(lambda: len(handled) == 2))
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


@pytest.fixture
async def gone_again(amqp_url: str) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Deletes the consumer's queue and makes it again, which ends the consumer's session."""
    connection = await aio_pika.connect(amqp_url)
    async with connection, connection.channel() as channel:
        await channel.declare_queue(SHORT_LIVED.name)

        async def again() -> None:
            await channel.queue_delete(SHORT_LIVED.name)
            await channel.declare_queue(SHORT_LIVED.name)

        yield again
        await channel.queue_delete(SHORT_LIVED.name)


async def test_a_consumer_comes_back_when_its_queue_was_deleted_and_made_again(
    amqp_url: str, publisher: Publisher, gone_again: Callable[[], Awaitable[None]]
) -> None:
    handled: list[bytes] = []

    async def handler(deliveries: list[Delivery]) -> None:
        handled.extend(delivery.body for delivery in deliveries)

    async with consuming(amqp_url, publisher, handler, queue=SHORT_LIVED):
        for body in (b"first", b"second"):
            await publisher.publish("", SHORT_LIVED.name, body, message_id="m")
            await eventually(lambda body=body: holds(lambda: body in handled))  # type: ignore[misc]
            await gone_again()


async def test_a_consumer_that_restarts_again_and_again_is_not_well_until_it_stays(
    amqp_url: str,
    publisher: Publisher,
    gone_again: Callable[[], Awaitable[None]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def handler(_: list[Delivery]) -> None:
        pass

    before = _restarts()
    async with consuming(amqp_url, publisher, handler, queue=SHORT_LIVED) as consumer:
        for number in range(MAX_RESTARTS + 1):
            await eventually(lambda: _well(consumer.check))
            await gone_again()
            await eventually(lambda number=number: holds(lambda: _restarts() > before + number))  # type: ignore[misc]

        async def red() -> bool:
            _, answers = await run_checks({"consumer": consumer.check})
            return "6 restarts" in answers["consumer"]

        await eventually(red)
        monkeypatch.setattr("fleet_kit.consumer_health.RESTART_WINDOW_SECONDS", 0.0)
        await eventually(lambda: _well(consumer.check))


async def _well(check: Callable[[], Awaitable[None]]) -> bool:
    status, _ = await run_checks({"it": check})
    return status == "ok"


def _restarts() -> float:
    labels = {"queue": SHORT_LIVED.name}
    return REGISTRY.get_sample_value("fleet_consumer_restarts_total", labels) or 0


async def test_dead_letters_are_counted_for_who_watches_and_named_before_there_is_no_room(
    amqp_url: str, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fleet_kit.dead_letter_watch.EVERY_SECONDS", 0.05)
    monkeypatch.setattr("fleet_kit.consumer_health.MAX_DEAD_LETTERS", 10)

    async def handler(_: list[Delivery]) -> None:
        pass

    async with consuming(amqp_url, publisher, handler) as consumer:
        await eventually(lambda: _well(consumer.check))
        for number in range(8):
            await publisher.publish(DEAD_EXCHANGE, QUEUE.name, b"x", message_id=f"m{number}")

        async def degraded() -> bool:
            status, answers = await run_checks({"consumer": consumer.check})
            return status == "degraded" and "8 of 10 dead letters" in answers["consumer"]

        await eventually(degraded)
        await consumer.check_receiving()
    assert REGISTRY.get_sample_value("fleet_dead_letters", {"queue": QUEUE.name}) == 8


async def test_a_broker_that_moves_nothing_back_from_the_waiting_queues_is_noticed(
    amqp_url: str, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As RabbitMQ 3.10 does not after it has stumbled over a forged history of a message."""
    monkeypatch.setattr("fleet_kit.dead_letter_watch.EVERY_SECONDS", 0.05)
    monkeypatch.setattr("fleet_kit.consumer_health.RETURN_SECONDS", 0.1)
    stalled = replace(QUEUE, name="test.stalled")
    names = [stalled.name, stalled.dead, *(stalled.retry(step) for step in range(4))]

    async def handler(deliveries: list[Delivery]) -> list[Failure]:
        return [Failure(item, RetryLater("later")) for item in deliveries if not item.attempts]

    connection = await aio_pika.connect(amqp_url)
    async with connection, connection.channel() as channel:
        for name in names:  # without a time to live
            await channel.declare_queue(name)
        async with consuming(amqp_url, publisher, handler, queue=stalled) as consumer:
            await eventually(lambda: _well(consumer.check))
            await publisher.publish("", stalled.name, b"x", message_id="m")

            async def red() -> bool:
                _, answers = await run_checks({"consumer": consumer.check})
                return "do not come back" in answers["consumer"]

            await eventually(red)
            waiting = await take(amqp_url, stalled.retry(0))
            await publisher.publish("", stalled.name, b"x", message_id="m", headers={ATTEMPTS_HEADER: 1})
            await eventually(lambda: _well(consumer.check))
        assert waiting.headers[ATTEMPTS_HEADER] == 1
        for name in names:
            await channel.queue_delete(name)
