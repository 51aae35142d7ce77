"""What is sent beyond the limits over MQTT holds up nobody else, is kept, and is told of."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import aio_pika
import pytest

from fleet_contracts.events import TelemetryExcess, parse_event
from fleet_contracts.telemetry import message_cost
from fleet_kit.batching import Backlog
from fleet_kit.failure_router import Delivery, SetAside
from monitoring_service.readings.consumers import TelemetryHandler
from monitoring_service.settings import Settings
from monitoring_service.store.client import Store
from monitoring_service.traffic.excess import ExcessPublisher
from monitoring_service.traffic.service import LEAST_SAMPLE, MAX_SCALE, Message, Rate, TrafficLimit
from monitoring_service.worker import Worker

pytestmark = pytest.mark.attack
DEVICE, ORGANIZATION = Rate(1000, 10_000), Rate(2000, 20_000)
NOW = 1_000_000.0
LATER = NOW + 2


@pytest.fixture
def backlog() -> Backlog:
    return Backlog()


@pytest.fixture
def limit(backlog: Backlog) -> TrafficLimit:
    """Of a consumer for which nothing waited at NOW, but messages do since."""
    limit = TrafficLimit(DEVICE, ORGANIZATION, backlog)
    limit.find_excess(NOW, 0)
    backlog.is_waiting = True
    return limit


def batch(*messages: tuple[str, int]) -> list[Message]:
    """Of devices such as `a1`, the first of organisation `a`, and sizes."""
    return [Message(device[0], device, message_cost(bytes(size))) for device, size in messages]


def waiting(limit: TrafficLimit, messages: Sequence[Message]) -> list[str]:
    """The devices of those that have to wait."""
    with limit.beyond(messages) as must_wait:
        return [message.device for message in messages if must_wait(message.device)]


def test_beyond_its_limit_a_device_waits_and_nobody_else_does(limit: TrafficLimit) -> None:
    assert waiting(limit, batch(*[("a1", 5000)] * 3, ("a2", 300), ("b1", 300))) == []
    assert limit.find_excess(LATER, 5) == {"a": ["a1"]}
    assert waiting(limit, batch(("a1", 5000), ("a2", 300), ("b1", 300))) == ["a1"]


def test_beyond_the_organisations_limit_those_are_named_that_send_the_most(limit: TrafficLimit) -> None:
    many = [(f"a{number}", 6000 + number) for number in range(4)]
    waiting(limit, batch(*many, ("a-quiet", 300), ("b1", 6000)))
    assert limit.find_excess(LATER, 0) == {"a": ["a3"]}


def test_what_waits_in_the_queue_is_estimated_from_what_was_taken(limit: TrafficLimit) -> None:
    """The store may be so slow that little was taken of a flood so far."""
    waiting(limit, batch(*[("a1", 200)] * LEAST_SAMPLE, ("a2", 200), ("b1", 200)))
    assert limit.find_excess(LATER, 3 * LEAST_SAMPLE) == {"a": ["a1"]}


def test_of_whom_little_was_taken_little_is_supposed_to_wait(limit: TrafficLimit) -> None:
    """A single message in a small sample of a deep queue is chance."""
    waiting(limit, batch(*[("a1", 200)] * LEAST_SAMPLE, ("b1", 9000)))
    assert limit.find_excess(LATER, 1000 * LEAST_SAMPLE) == {"a": ["a1"]}


def test_a_flood_that_came_after_what_was_taken_is_not_put_down_to_that(backlog: Backlog) -> None:
    """The consumer may have been held, with messages of the innocent in hand, when the flood came."""
    limit = TrafficLimit(Rate(64 * 1024, 2**20), Rate(256 * 1024, 2**22), backlog)
    limit.find_excess(NOW, 0)
    innocent = batch(*[(f"a{number}", 300) for number in range(10)] * 2 * LEAST_SAMPLE)
    waiting(limit, innocent)
    assert limit.find_excess(LATER, 100_000) == {}
    assert sum(one.cost for one in innocent) * MAX_SCALE < 2**22


def test_a_few_messages_say_nothing_about_the_queue(limit: TrafficLimit) -> None:
    waiting(limit, batch(("a1", 200)))
    assert limit.find_excess(LATER, 100_000) == {}


def test_while_nothing_waits_there_is_no_limit(limit: TrafficLimit, backlog: Backlog) -> None:
    backlog.is_waiting = False
    for number in range(5):
        assert waiting(limit, batch(*[("a1", 50_000)] * 3, ("b1", 300))) == []
        assert limit.find_excess(LATER + number, 0) == {}


def test_who_has_waited_for_a_moment_only_is_nobodys_fault(limit: TrafficLimit) -> None:
    waiting(limit, batch(*[("a1", 50_000)] * 3))
    assert limit.find_excess(NOW + 0.4, 5) == {}


def test_what_was_in_hand_when_the_queue_was_empty_counts_once_others_wait_for_it(
    limit: TrafficLimit, backlog: Backlog
) -> None:
    backlog.is_waiting = False
    with limit.beyond(batch(*[("a1", 50_000)] * 3, ("b1", 300))) as must_wait:
        assert limit.find_excess(NOW + 1, 0) == {}
        assert limit.find_excess(NOW + 2, 5) == {"a": ["a1"]}
        assert must_wait("a1")
        assert not must_wait("b1")


def test_what_an_outage_kept_back_is_no_excess(limit: TrafficLimit) -> None:
    waiting(limit, batch(*[("a1", 1000)] * 100))
    assert limit.find_excess(NOW + 100, 0) == {}
    waiting(limit, batch(*[("a1", 1000)] * 100))
    assert limit.find_excess(NOW + 101, 0) == {"a": ["a1"]}


def test_what_waits_at_the_start_may_have_waited_since_the_last_reading_was_stored(
    limit: TrafficLimit, backlog: Backlog
) -> None:
    for seconds, found in ((3600.0, {}), (60.0, {"a": ["a1"]})):
        fresh = TrafficLimit(DEVICE, ORGANIZATION, backlog)
        fresh.has_waited(seconds)
        waiting(fresh, batch(("a1", 1_000_000)))
        assert fresh.find_excess(time.monotonic(), 5) == found


async def test_a_new_worker_asks_when_the_last_reading_was_stored(
    fleet: Any, worker: Worker, message: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fleet.store(message({"id": "r", "metrics": {"a": 1}}, device=await fleet.device()))
    waited = list[float]()
    monkeypatch.setattr(worker.excess._limit, "has_waited", waited.append)
    for _ in range(2):
        await worker.excess.publish()
    assert len(waited) == 1
    assert 0 <= waited[0] < 60


def test_nobody_answers_for_messages_of_unknown_devices(limit: TrafficLimit) -> None:
    """They are among what waits, though: else all of it would be put down to the others."""
    unknown = [Message(None, "gone", 1000)] * 10 * LEAST_SAMPLE
    waiting(limit, batch(*[("a1", 200)] * LEAST_SAMPLE) + unknown)
    assert limit.find_excess(LATER, 10 * LEAST_SAMPLE) == {}


def test_a_batch_that_fails_does_not_count(limit: TrafficLimit) -> None:
    for _ in range(10):
        with pytest.raises(ConnectionError), limit.beyond(batch(("a1", 9000))):
            raise ConnectionError
    assert waiting(limit, batch(("a1", 9000))) == []
    assert limit.find_excess(LATER, 0) == {}


def test_nobody_is_named_again_who_has_sent_nothing_since(limit: TrafficLimit) -> None:
    waiting(limit, batch(("a1", 50_000)))
    assert limit.find_excess(LATER, 0) == {"a": ["a1"]}
    assert limit.find_excess(LATER + 1, 0) == {}


async def test_what_was_set_aside_has_its_turn_when_nothing_waits(
    limit: TrafficLimit, backlog: Backlog
) -> None:
    limit.find_excess(NOW, 5)
    turn = asyncio.create_task(limit.others_served())
    await asyncio.sleep(0)
    assert not turn.done()
    backlog.is_waiting = False
    limit.find_excess(LATER, 0)
    async with asyncio.timeout(5):
        await turn


def test_a_device_that_is_found_while_its_batch_is_in_hand_waits_from_then_on(limit: TrafficLimit) -> None:
    with limit.beyond(batch(*[("a1", 9000)] * 4)) as must_wait:
        assert not must_wait("a1")
        limit.find_excess(LATER, 5)
        assert must_wait("a1")


async def test_what_waits_is_kept_whole_and_the_reading_of_another_is_stored(
    fleet: Any, worker: Worker, message: Any, limit: TrafficLimit, store: Store
) -> None:
    flooding, other = await fleet.device(), await fleet.device(uuid4())
    handler = worker.consumers["consume telemetry of devices"].handler
    assert isinstance(handler, TelemetryHandler)
    heard: list[Any] = []
    handler._limit, handler._on_set_aside = limit, heard.extend
    large = [{"id": f"r{number}", "metrics": {"a": 1}} for number in range(600)]
    flood: list[Delivery] = [message(*large, device=flooding) for _ in range(3)]
    assert await handler(flood[:1]) == []
    assert limit.find_excess(LATER, 5) == {str(fleet.organization): [flooding]}
    quiet = message({"id": "quiet", "metrics": {"a": 1}}, device=other)
    failures = await handler([*flood[1:], quiet])
    assert [failure.delivery for failure in failures] == flood[1:]
    assert all(isinstance(failure.error, SetAside) for failure in failures)
    assert [one["device_id"] for one in heard] == [flooding] * 2, "what waits says that it is not silent"
    assert await store.readings.count_documents({"device_id": other}) == 1
    await worker.excess.publish()
    assert await worker.consumers["consume excess of devices"].handler(flood[1:]) == []
    assert await store.readings.count_documents({"device_id": flooding}) == 600


async def test_messages_of_a_device_that_was_deleted_while_it_sent_too_much_break_no_batch(
    fleet: Any, worker: Worker, message: Any, limit: TrafficLimit, store: Store
) -> None:
    deleted, other = str(uuid4()), await fleet.device(uuid4())
    handler = worker.consumers["consume telemetry of devices"].handler
    assert isinstance(handler, TelemetryHandler)
    handler._limit = limit
    with limit.beyond(batch(*[(deleted, 9000)] * 4)):
        limit.find_excess(LATER, 5)
    late = message({"metrics": {"a": 1}}, device=deleted)
    quiet = message({"id": "quiet", "metrics": {"a": 1}}, device=other)
    failures = await handler([late, quiet])
    assert [(failure.delivery, type(failure.error)) for failure in failures] == [(late, SetAside)]
    assert await store.readings.count_documents({"device_id": other}) == 1


async def test_a_reading_that_its_message_names_often_is_stored_once(
    fleet: Any, message: Any, store: Store
) -> None:
    device = await fleet.device()
    same = [{"id": "same", "metrics": {"a": number}} for number in range(50)]
    assert not await fleet.store(message(*same, device=device))
    (row,) = [row async for row in store.readings.find({"device_id": device})]
    assert row["metrics"] == {"a": 0}


async def test_device_service_is_told_who_it_is(
    settings: Settings, worker: Worker, limit: TrafficLimit, backlog: Backlog
) -> None:
    organization, device = str(uuid4()), str(uuid4())
    connection = await aio_pika.connect(settings.amqp_url.get_secret_value())
    async with connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(exclusive=True)
        await queue.bind("fleet.events", "telemetry.excess")
        backlog.is_waiting = False
        limit.find_excess(time.monotonic() - 2, 0)
        backlog.is_waiting = True
        with limit.beyond([Message(organization, device, 10**6)]):
            publishers = worker._publishers
        publisher = ExcessPublisher(limit, worker.sequence, publishers.services, publishers.devices)
        await publisher.publish()
        await publisher.publish()
        async with asyncio.timeout(60):
            event = parse_event((await queue.get(no_ack=True)).body)
        assert isinstance(event, TelemetryExcess)
        assert (str(event.owner), [str(one) for one in event.data.devices]) == (organization, [device])
        assert await queue.get(no_ack=True, fail=False) is None, "it has sent nothing since"
