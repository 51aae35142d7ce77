"""Moving messages: what is taken along, whose word is believed, and what happens when there is no room."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import aio_pika
import httpx
import pytest
from aiormq.abc import AbstractChannel, DeliveredMessage
from pamqp.commands import Basic
from pamqp.header import ContentHeader
from prometheus_client import REGISTRY

from fleet_contracts.topology import (
    ATTEMPTS_HEADER,
    DEAD_EXCHANGE,
    MONITORING_EVENTS,
    ORIGIN_HEADER,
    POLICIES,
    QUEUES,
    REASON_HEADER,
    RECEIVED_HEADER,
    SERVICES_VHOST,
    TELEMETRY_EXCHANGE,
    Queue,
    telemetry_key,
)
from fleet_kit.consumer import DependencyUnavailable, Failure
from fleet_kit.failure_router import KEY_HEADER, Delivery, FailureRouter, RejectNow, RetryLater, SetAside
from fleet_kit.health import Degraded, Unwell
from fleet_kit.messaging import Publisher, PublishRefused
from fleet_kit.testing import eventually

from .support import QUEUE, consuming, depth, holds, purge, take

NOTES = {ATTEMPTS_HEADER, REASON_HEADER, ORIGIN_HEADER, KEY_HEADER, RECEIVED_HEADER}
KEY = telemetry_key("d")
FEW = 5


@pytest.fixture
async def publisher(amqp_url: str) -> AsyncIterator[Publisher]:
    publisher = Publisher(amqp_url, "test")
    await purge(amqp_url)
    await purge(amqp_url, MONITORING_EVENTS)
    yield publisher
    await publisher.close()


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"CC": "x"}, id="CC as MQTT 5 makes it of a user property"),
        pytest.param({"BCC": "x"}, id="BCC"),
        pytest.param({"CC": [MONITORING_EVENTS.name]}, id="CC with another queue"),
        pytest.param({"BCC": [MONITORING_EVENTS.name]}, id="BCC with another queue"),
        pytest.param({"x-death": "x", "x-delay": 10**30, "a": {"b": [None]}}, id="others"),
    ],
)
async def test_no_header_of_the_sender_has_a_say_in_where_a_message_goes(
    amqp_url: str, publisher: Publisher, headers: dict[str, Any]
) -> None:
    delivery = Delivery(b"{}", KEY, "m", {**headers, "x-request-id": "r-1"}, 0, datetime.now(UTC))
    router = FailureRouter(QUEUE, publisher)
    await router.move(delivery, RetryLater("later"))
    await router.move(delivery, RejectNow("never"))
    await eventually(lambda: depth(amqp_url, QUEUE.dead))
    dead = await take(amqp_url, QUEUE.dead)
    assert set(dead.headers) - {"x-delivery-count"} == NOTES | {"x-request-id"}
    assert await depth(amqp_url, MONITORING_EVENTS.name) == 0


@pytest.mark.parametrize("request_id", ["r\n", "r" * 100_000, 5, ["r"], "r\x00"])
def test_a_request_id_that_is_none_is_not_taken_along(request_id: object) -> None:
    delivery = Delivery(b"{}", KEY, "m", {"x-request-id": request_id}, 0, datetime.now(UTC))
    headers = FailureRouter(QUEUE, Publisher("amqp://x", "x"))._headers(delivery, 1, "why")
    assert set(headers) == NOTES


async def test_what_the_broker_itself_dead_letters_is_not_believed_about_its_history(
    amqp_url: str, publisher: Publisher
) -> None:
    forged = {KEY_HEADER: "devices.other.telemetry", ATTEMPTS_HEADER: 3, REASON_HEADER: "forged"}
    await _publish(amqp_url, forged)
    connection = await aio_pika.connect(amqp_url)
    async with connection:
        channel = await connection.channel()
        message = await (await channel.get_queue(QUEUE.name, ensure=False)).get(timeout=5)
        assert message is not None
        await message.reject()
    await eventually(lambda: depth(amqp_url, QUEUE.dead))
    delivery = Delivery.of(await take(amqp_url, QUEUE.dead))
    assert (delivery.routing_key, delivery.attempts) == (KEY, 0)
    assert delivery.headers[REASON_HEADER] == "REJECTED"
    assert NOTES & set(delivery.headers) == {REASON_HEADER}


async def test_what_is_set_aside_is_whole_and_has_not_failed(amqp_url: str, publisher: Publisher) -> None:
    queue = replace(QUEUE, name="test.aside")
    async with await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel()
        await channel.declare_queue(queue.excess, durable=True)
        received = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=1)
        sent = Delivery(b"body", KEY, "m", {"x-request-id": "r-1"}, 2, received)
        assert await FailureRouter(queue, publisher).move(sent, SetAside()) == "aside"
        delivery = Delivery.of(await take(amqp_url, queue.excess))
        await channel.queue_delete(queue.excess)
    assert (delivery.body, delivery.routing_key, delivery.message_id) == (b"body", KEY, "m")
    assert (delivery.attempts, delivery.received_at) == (2, received)


async def test_what_expired_says_so_among_the_dead_letters(amqp_url: str, publisher: Publisher) -> None:
    await _publish(amqp_url, {}, expiration=0.001)
    await eventually(lambda: depth(amqp_url, QUEUE.dead))
    delivery = Delivery.of(await take(amqp_url, QUEUE.dead))
    assert (delivery.routing_key, delivery.headers[REASON_HEADER]) == (KEY, "EXPIRED")


async def _publish(amqp_url: str, headers: dict[str, Any], expiration: float | None = None) -> None:
    async with await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel()
        exchange = await channel.get_exchange(TELEMETRY_EXCHANGE, ensure=False)
        await exchange.publish(aio_pika.Message(b"{}", headers=headers, expiration=expiration), KEY)


@pytest.mark.parametrize("deaths", ["x", [1, "x", None], [{"routing-keys": 5}], [{"exchange": []}], {}])
def test_a_history_that_is_none_harms_nobody(deaths: Any) -> None:
    header = ContentHeader(properties=Basic.Properties(headers={"x-death": deaths, KEY_HEADER: 5}))
    for exchange in (DEAD_EXCHANGE, "", TELEMETRY_EXCHANGE):
        deliver = Basic.Deliver("tag", 1, False, exchange, KEY)
        message = DeliveredMessage(deliver, header, b"", cast(AbstractChannel, None))
        assert Delivery.of(aio_pika.IncomingMessage(message)).routing_key in {KEY, "5"}


async def test_the_bound_of_dead_letters_applies_to_queues_that_exist(
    amqp_url: str, rabbitmq_management: httpx.Client
) -> None:
    """And to no other: a bound of a waiting queue would refuse what has to be tried again."""
    vhost = amqp_url.rsplit("/", 1)[1]

    async def applied() -> bool:
        answer = await asyncio.to_thread(rabbitmq_management.get, f"/queues/{vhost}")
        queues = {queue["name"]: queue for queue in answer.json()}
        bounded = {name for name, queue in queues.items() if queue.get("policy") == "dead-letters"}
        limits = queues[QUEUE.dead].get("effective_policy_definition", {})
        return (
            bounded == {queue.dead for queue in QUEUES[SERVICES_VHOST]} and limits == POLICIES[0].definition
        )

    await eventually(applied)


@pytest.fixture
def little_room(amqp_url: str, rabbitmq_management: httpx.Client) -> Iterator[None]:
    """The policy of the fleet, with room for a few dead letters only."""
    path = f"/policies/{amqp_url.rsplit('/', 1)[1]}/little-room"
    definition = {"max-length": FEW, "overflow": "reject-publish"}
    body = {"pattern": r"\.dead$", "apply-to": "queues", "priority": 1, "definition": definition}
    rabbitmq_management.put(path, json=body).raise_for_status()
    yield
    rabbitmq_management.delete(path).raise_for_status()


async def _reject_all(deliveries: list[Delivery]) -> Sequence[Failure]:
    return [Failure(delivery, RejectNow("never")) for delivery in deliveries]


async def _fill(publisher: Publisher, queue: Queue) -> None:
    """Until the broker refuses: it looks at the bound a little late."""

    async def refused() -> bool:
        try:
            await publisher.publish(DEAD_EXCHANGE, queue.name, b"old", message_id="old")
        except PublishRefused:
            return True
        return False

    await eventually(refused)


@pytest.mark.usefixtures("little_room")
async def test_dead_letters_without_room_are_dropped_counted_and_shown_while_the_queue_goes_on(
    amqp_url: str, publisher: Publisher
) -> None:
    await _fill(publisher, MONITORING_EVENTS)
    before = _dropped(MONITORING_EVENTS)
    for number in range(20):
        await publisher.publish("", MONITORING_EVENTS.name, b"x", message_id=f"m{number}")
    async with consuming(amqp_url, publisher, _reject_all, queue=MONITORING_EVENTS) as consumer:
        await eventually(lambda: holds(lambda: _dropped(MONITORING_EVENTS) == before + 20))
        await consumer.check_receiving()
        with pytest.raises(Degraded, match="dropped"):
            await consumer.check()
    assert await depth(amqp_url, MONITORING_EVENTS.name) == 0


@pytest.mark.usefixtures("little_room")
async def test_telemetry_waits_for_room_among_its_dead_letters_and_loses_none(
    amqp_url: str, publisher: Publisher
) -> None:
    await _fill(publisher, QUEUE)
    full = await depth(amqp_url, QUEUE.dead)
    for number in range(20):
        await publisher.publish("", QUEUE.name, b"x%d" % number, message_id=f"m{number}")
    listed: list[bytes] = []

    async def lists(deliveries: list[Delivery]) -> None:
        listed.extend(delivery.body for delivery in deliveries)

    async with consuming(amqp_url, publisher, _reject_all) as consumer:

        async def held() -> bool:
            try:
                await consumer.check()
            except ConnectionError:
                return False
            except Unwell as problem:
                return "cannot be passed on" in str(problem)
            return False

        await eventually(held)
        async with consuming(amqp_url, publisher, lists, queue=Queue(QUEUE.dead), takes_undecodable=True):
            await eventually(lambda: holds(lambda: len(listed) >= full + 20))
        await eventually(lambda: _well(consumer.check))
    assert {body for body in listed if body != b"old"} == {b"x%d" % number for number in range(20)}
    assert _dropped(QUEUE) == 0


async def _well(check: Callable[[], Awaitable[None]]) -> bool:
    try:
        await check()
    except Unwell:
        return False
    return True


def _dropped(queue: Queue) -> float:
    return REGISTRY.get_sample_value("fleet_dead_letters_dropped_total", {"queue": queue.name}) or 0


async def test_a_message_that_came_too_often_is_set_aside_before_the_broker_does_it(
    amqp_url: str, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fleet_kit.consumer.MAX_REDELIVERIES", 2)
    await _publish(amqp_url, {"x-death": "x"})
    handled: list[int] = []

    async def handler(deliveries: list[Delivery]) -> None:
        handled.extend(delivery.redeliveries for delivery in deliveries)
        raise DependencyUnavailable("until the consumer is stopped")

    for number in range(2):
        async with consuming(amqp_url, publisher, handler):
            await eventually(lambda number=number: holds(lambda: number in handled))  # type: ignore[misc]
    async with consuming(amqp_url, publisher, handler):
        await eventually(lambda: depth(amqp_url, QUEUE.dead))
    assert set(handled) == {0, 1}
    assert (await take(amqp_url, QUEUE.dead)).headers[REASON_HEADER] == "DELIVERY_LIMIT"
