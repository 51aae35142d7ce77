"""Up to when silence is known to be silence: marks in the queues, and what workers make of them together."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from fleet_contracts.events import TelemetryPresence
from fleet_contracts.topology import (
    DEVICES_TELEMETRY,
    MONITORING_TELEMETRY,
    TELEMETRY_EXCHANGE,
    WATERMARK_HEADER,
    telemetry_key,
)
from fleet_kit.testing import eventually
from monitoring_service.dead_letters.consumers import DeadTelemetryHandler
from monitoring_service.readings.consumers import TelemetryHandler
from monitoring_service.store.client import Store
from monitoring_service.store.inserts import StoreUnavailable
from monitoring_service.watermark import repository
from monitoring_service.watermark.models import WorkerProgress, fleet_watermark
from monitoring_service.watermark.service import FORGOTTEN, HELD, WatermarkService
from monitoring_service.worker import Worker

START = datetime(2026, 11, 1, 12, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def progress(name: str, watermark: float | None, holds_until: float) -> WorkerProgress:
    return WorkerProgress(name, None if watermark is None else after(watermark), after(holds_until))


@pytest.mark.parametrize(
    ("own", "others", "expected"),
    [
        (10, [], 10),
        (10, [progress("ahead", 11, 71)], 10),
        (10, [progress("slow", 4, 64)], 4),
        (10, [progress("new", None, 70)], None),
        (10, [progress("left", 4, 9)], 10),
        (10, [progress("left just now", 4, 10)], 4),
        (80, [progress("dead", 4, 64)], 80),
        (80, [progress("dead before it met a mark", None, 64)], 80),
        (80, [progress("slow", 60, 120), progress("dead", 4, 64)], 4),
        (80, [progress("slow", 65, 125), progress("dead", 4, 64)], 65),
    ],
)
def test_the_fleet_is_as_far_as_the_last_worker_that_may_hold_something(
    own: float, others: list[WorkerProgress], expected: float | None
) -> None:
    assert fleet_watermark(after(own), others) == (None if expected is None else after(expected))


class Broker:
    """Confirms everything, and remembers what it was told."""

    def __init__(self) -> None:
        self.events: list[TelemetryPresence] = []

    async def publish_event(self, event: TelemetryPresence) -> None:
        self.events.append(event)

    @property
    def watermarks(self) -> list[datetime | None]:
        return [event.data.watermark for event in self.events]


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
def make_worker(store: Store, broker: Broker) -> Any:
    """One worker's part, which has been given something."""

    async def make() -> WatermarkService:
        made = WatermarkService(store, broker)  # type: ignore[arg-type]
        await made._join()
        return made

    return make


async def test_a_worker_that_stands_still_holds_the_watermark_until_it_is_gone(
    make_worker: Any, broker: Broker, store: Store
) -> None:
    one, other = await make_worker(), await make_worker()
    now = datetime.now(UTC).replace(microsecond=0)
    await one.publish(now)
    assert broker.watermarks == [], "nobody knows what the other was given"
    await other.publish(now - timedelta(seconds=1))
    await one.publish(now + timedelta(seconds=1))
    assert broker.watermarks == [now - timedelta(seconds=1)] * 2
    await other.leave()
    later = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=2)
    await one.publish(later)
    assert broker.watermarks[-1] == later
    assert await store.watermarks.count_documents({}) == 2, "who is gone is forgotten"


async def test_a_worker_that_was_killed_holds_the_watermark_no_longer_than_the_broker_needs(
    make_worker: Any, broker: Broker
) -> None:
    killed, next_one = await make_worker(), await make_worker()
    now = datetime.now(UTC).replace(microsecond=0)
    await killed.publish(now)
    await next_one.publish(now + HELD / 2)
    await next_one.publish(now + HELD + timedelta(seconds=2))
    assert broker.watermarks == [now, now + HELD + timedelta(seconds=2)]


async def test_what_a_worker_gave_back_with_its_connection_holds_the_watermark(
    make_worker: Any, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be in the hands of another one, which is further than what it has got."""
    one, other = await make_worker(), await make_worker()
    now = datetime.now(UTC).replace(microsecond=0)
    await other.publish(now + timedelta(seconds=5))
    await one.publish(now)
    mark = one.mark(MONITORING_TELEMETRY, None)
    mark.session_begins()
    await one.publish(now + timedelta(seconds=1))
    assert broker.watermarks == [now, now + timedelta(seconds=1)], "nothing was lost yet"
    mark.session_begins()
    await one._join()
    await one.publish(now + timedelta(seconds=9))
    await other.publish(now + timedelta(seconds=9))
    assert broker.watermarks[2:] == [now + timedelta(seconds=1)] * 2
    late = now + HELD + timedelta(seconds=9)
    await one.publish(late)
    await other.publish(late)
    assert broker.watermarks[-1] == late


async def test_a_mark_of_a_clock_that_is_ahead_says_nothing(
    worker: Worker, message: Any, fleet: Any, store: Store
) -> None:
    handler = worker.consumers["consume telemetry"].handler
    assert isinstance(handler, TelemetryHandler)
    reading = message({"metrics": {"a": 1}}, device=await fleet.device())
    ahead = {WATERMARK_HEADER: int((time.time() + 3600) * 1000)}
    marked = type(reading)(b"", MONITORING_TELEMETRY.name, None, ahead, 0, datetime.now(UTC))
    assert await handler([reading, marked]) == []
    assert handler._mark is not None
    assert handler._mark.reached is None
    assert await store.rejected.count_documents({}) == 0


@pytest.mark.parametrize("value", [1, 1_790_000_000_000, 2**62])
async def test_what_a_producer_made_look_like_a_mark_is_listed_and_moves_nothing(
    worker: Worker, message: Any, fleet: Any, store: Store, value: int
) -> None:
    """RabbitMQ 3.10 leaves a forged exchange in `x-death`, so the fleet's own headers are believed then."""
    handler = worker.consumers["consume telemetry"].handler
    assert isinstance(handler, TelemetryHandler)
    device = await fleet.device()
    headers = {WATERMARK_HEADER: value, "x-death": [{"exchange": "", "queue": MONITORING_TELEMETRY.name}]}
    reading = message({"metrics": {"a": 1}}, device=device)
    moved = type(reading)(reading.body, telemetry_key(device), None, headers, 0, datetime.now(UTC))
    empty = type(reading)(b"", telemetry_key(device), None, headers, 0, datetime.now(UTC))
    assert await handler([moved, empty]) == []
    assert handler._mark is not None
    assert handler._mark.reached is None
    assert await store.readings.count_documents({"device_id": device}) == 1
    assert await store.rejected.count_documents({"device_id": device}) == 1


async def test_a_mark_among_dead_letters_is_none(worker: Worker) -> None:
    for name in ("consume dead telemetry", "consume dead telemetry of devices"):
        handler = worker.consumers[name].handler
        assert isinstance(handler, DeadTelemetryHandler)
        assert handler._telemetry._mark is None


async def test_so_many_workers_that_came_and_went_that_not_all_are_read_tell_nothing_wrong(
    make_worker: Any, broker: Broker, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repository, "MOST_WORKERS", 3)
    worker, now = await make_worker(), datetime.now(UTC).replace(microsecond=0)
    left = [{"_id": str(number), "watermark": None, "holds_until": now} for number in range(2)]
    await store.watermarks.insert_many(left)
    await worker.publish(now + timedelta(seconds=1))
    assert broker.watermarks == []
    long_ago = {"$set": {"holds_until": now - FORGOTTEN - timedelta(seconds=1)}}
    await store.watermarks.update_many({"watermark": None}, long_ago)
    await worker.publish(now + timedelta(seconds=2))
    await worker.publish(now + timedelta(seconds=3))
    assert broker.watermarks == [now + timedelta(seconds=3)]


@asynccontextmanager
async def consuming(worker: Worker) -> AsyncIterator[None]:
    """The two queues of readings are worked off."""
    consumers = [worker.consumers[name] for name in ("consume telemetry", "consume telemetry of devices")]
    tasks = [asyncio.create_task(consumer.run()) for consumer in consumers]
    try:
        yield
    finally:
        for consumer in consumers:
            await consumer.stop()
        await asyncio.gather(*tasks)


async def test_a_backlog_holds_the_watermark_until_it_is_stored(
    fleet: Any, worker: Worker, store: Store, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker.watermark, "_publisher", broker)
    device, publishers = await fleet.device(), worker._publishers
    forged = {WATERMARK_HEADER: int(time.time() + 3600) * 1000}
    for publisher in (publishers.services, publishers.devices):
        for _ in range(200):
            body = json.dumps({"id": uuid4().hex, "metrics": {"value": 1}}).encode()
            key = telemetry_key(device)
            await publisher.publish(TELEMETRY_EXCHANGE, key, body, message_id="", headers=forged)
    sent = datetime.fromtimestamp(int(time.time() * 1000) / 1000, UTC)
    await worker.watermark.send()
    await worker.project()
    assert (worker.watermark.reached, broker.events) == (None, []), "nothing is worked off yet"
    async with consuming(worker):

        async def told() -> bool:
            await worker.project()
            return any(moment and moment >= sent for moment in broker.watermarks)

        await eventually(told, timeout=60)
        assert await store.readings.count_documents({"device_id": device}) == 400
    assert await store.rejected.count_documents({}) == 0, "a mark is no reading"
    reached = (await store.watermarks.find_one({"_id": "fleet"}) or {})["watermark"]
    assert sent <= reached < sent + timedelta(minutes=5), "only services send marks"


async def test_a_mark_has_not_passed_while_the_readings_before_it_cannot_be_stored(
    fleet: Any, worker: Worker, message: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    handler = worker.consumers["consume telemetry"].handler
    assert isinstance(handler, TelemetryHandler)
    mark = handler._mark
    assert mark is not None
    sent: list[Any] = []

    async def publish(*_: object, headers: dict[str, int], **more: object) -> None:
        sent.append(headers)

    monkeypatch.setattr(mark._publisher, "publish", publish)
    await mark.send()
    reading = message({"metrics": {"a": 1}}, device=await fleet.device())
    marked = type(reading)(b"", MONITORING_TELEMETRY.name, None, sent[0], 0, datetime.now(UTC))

    async def away(_: object) -> None:
        raise StoreUnavailable("away")

    with monkeypatch.context() as stopped:
        stopped.setattr(handler._writer, "put", away)
        with pytest.raises(StoreUnavailable):
            await handler([reading, marked])
    assert mark.reached is None
    assert await handler([reading, marked]) == []
    assert mark.reached is not None


async def test_who_is_online_is_counted_up_to_the_watermark(fleet: Any, message: Any, store: Store) -> None:
    """As device-service does: while readings wait, nobody's silence counts."""
    for ago in (100, 300):
        received = datetime.now(UTC) - timedelta(seconds=ago)
        device = await fleet.device()
        await fleet.store(message({"metrics": {"a": 1}}, device=device, received_at=received))
    await fleet.worker.checkpoint.advance()
    assert (await fleet.get("/stats")).json()["online"] == 0
    moment = datetime.now(UTC) - timedelta(seconds=90)
    await store.watermarks.update_one({"_id": "fleet"}, {"$set": {"watermark": moment}}, upsert=True)
    assert (await fleet.get("/stats")).json()["online"] == 1


def test_both_queues_of_readings_have_marks(worker: Worker) -> None:
    marked = {mark._queue.name for mark in worker.watermark._marks}
    assert marked == {MONITORING_TELEMETRY.name, DEVICES_TELEMETRY.name}
