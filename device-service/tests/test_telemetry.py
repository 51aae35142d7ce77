import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import aio_pika
import httpx
import pytest
from aio_pika.abc import AbstractQueue
from fastapi import FastAPI

from device_service.settings import DeviceSettings
from device_service.telemetry.service import TelemetryService
from fleet_contracts.telemetry import parse_message
from fleet_kit.allowances import Allowances
from fleet_kit.messaging import Publisher
from fleet_kit.testing import eventually

from .conftest import Organization
from .support import device_key, path_of

UseBroker = Callable[[str, float], Publisher]


@pytest.fixture
async def telemetry_queue(settings: DeviceSettings) -> AsyncIterator[AbstractQueue]:
    """Sees whatever is published for any device."""
    connection = await aio_pika.connect(settings.amqp_url.get_secret_value())
    async with connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(exclusive=True)
        await queue.bind("amq.topic", "devices.*.telemetry")
        yield queue


async def next_message(queue: AbstractQueue) -> aio_pika.abc.AbstractIncomingMessage:
    async with asyncio.timeout(60):
        while True:
            message = await queue.get(no_ack=True, fail=False)
            if message is not None:
                return message
            await asyncio.sleep(0.02)


async def test_accepted_readings_are_on_the_exchange_with_id_and_time(
    organization: Organization, anyone: httpx.AsyncClient, telemetry_queue: AbstractQueue
) -> None:
    made = await organization.make_device()
    ts = datetime.now(UTC) - timedelta(minutes=5)
    readings: list[dict[str, Any]] = [
        {"id": "own-1", "ts": int(ts.timestamp() * 1000), "metrics": {"temperature": 21.5, "n": 3}},
        {"ts": ts.isoformat(), "metrics": {"temperature": 22}, "tags": {"room": "1"}},
        {"metrics": {"temperature": 23}},
        {"metrics": {"temperature": 23}},
    ]
    response = await anyone.post(path_of(made, "/telemetry"), json=readings, headers=device_key(made))
    assert response.status_code == 202, response.text
    ids = response.json()["ids"]
    assert (response.json()["accepted"], ids[0], len(set(ids))) == (4, "own-1", 4)
    message = await next_message(telemetry_queue)
    assert message.routing_key == f"devices.{made['id']}.telemetry"
    assert message.delivery_mode == aio_pika.DeliveryMode.PERSISTENT
    published = json.loads(message.body)
    assert [reading["id"] for reading in published] == ids
    assert all(reading["ts"].endswith("Z") for reading in published)
    parsed = parse_message(message.body, made["id"], datetime.now(UTC))
    assert (len(parsed.readings), parsed.rejected) == (4, [])


async def test_repeated_reading_with_a_time_keeps_its_id(organization: Organization) -> None:
    made = await organization.make_device()
    reading = {"ts": datetime.now(UTC).isoformat(), "metrics": {"a": 1}}
    answers = [
        (await organization.operator.post(path_of(made, "/telemetry"), json=reading)).json()["ids"]
        for _ in range(2)
    ]
    assert answers[0] == answers[1]


async def test_thousand_readings_are_taken(organization: Organization) -> None:
    made = await organization.make_device()
    body = [{"metrics": {"a": number}} for number in range(1000)]
    response = await organization.operator.post(path_of(made, "/telemetry"), json=body)
    assert (response.status_code, response.json()["accepted"]) == (202, 1000)


@pytest.fixture
def use_broker(app: FastAPI) -> Iterator[UseBroker]:
    """Lets the service publish telemetry to another broker until the end of the test."""
    present = app.state.telemetry

    def use(url: str, timeout_seconds: float) -> Publisher:
        publisher = Publisher(url, "test", timeout_seconds=timeout_seconds)
        app.state.telemetry = TelemetryService(publisher, Allowances(2**40, 2**40))
        return publisher

    yield use
    app.state.telemetry = present


async def test_broker_away_answers_503_soon(organization: Organization, use_broker: UseBroker) -> None:
    made = await organization.make_device()
    use_broker("amqp://nobody:none@127.0.0.1:1/", 2)
    async with asyncio.timeout(60):
        response = await organization.operator.post(path_of(made, "/telemetry"), json={"metrics": {"a": 1}})
    assert (response.status_code, response.json()["error"]["code"]) == (503, "UNAVAILABLE")
    assert int(response.headers["retry-after"]) > 0


@contextlib.asynccontextmanager
async def frozen_broker() -> AsyncIterator[tuple[str, asyncio.Event, asyncio.Event]]:
    """A broker that accepts connections and says nothing: its address, when it was reached, what ends it."""
    reached, closing = asyncio.Event(), asyncio.Event()

    async def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reached.set()
        await closing.wait()
        writer.close()

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        try:
            yield f"amqp://x:y@127.0.0.1:{port}/", reached, closing
        finally:
            closing.set()


async def test_frozen_broker_answers_503_within_the_timeout(
    organization: Organization, use_broker: UseBroker
) -> None:
    made = await organization.make_device()
    async with frozen_broker() as (url, _, _), asyncio.timeout(60):
        use_broker(url, 1)
        answer = await organization.operator.post(path_of(made, "/telemetry"), json={"metrics": {"a": 1}})
    assert answer.status_code == 503


async def test_frozen_broker_holds_no_database_connection(
    app: FastAPI, organization: Organization, use_broker: UseBroker
) -> None:
    made = await organization.make_device()

    async def no_connection_in_use() -> bool:
        return bool(app.state.engine.pool.checkedout() == 0)

    async with frozen_broker() as (url, reached, closing):
        use_broker(url, 120)
        sending = [
            asyncio.create_task(
                organization.operator.post(path_of(made, "/telemetry"), json={"metrics": {"a": 1}})
            )
            for _ in range(20)
        ]
        await reached.wait()
        await eventually(no_connection_in_use)
        assert not any(task.done() for task in sending)
        closing.set()
        answers = await asyncio.gather(*sending)
    assert {answer.status_code for answer in answers} == {503}


async def test_reading_that_no_queue_would_get_is_not_accepted(
    organization: Organization, use_broker: UseBroker, make_amqp_url: Any
) -> None:
    """Unbound queue: the return is noticed although the broker confirms."""
    made = await organization.make_device()
    url = make_amqp_url()
    connection = await aio_pika.connect(url)
    async with connection:
        channel = await connection.channel()
        queue = await channel.get_queue("monitoring.telemetry")
        await queue.unbind("amq.topic", "devices.*.telemetry")
    publisher = use_broker(url, 2)
    try:
        response = await organization.operator.post(path_of(made, "/telemetry"), json={"metrics": {"a": 1}})
    finally:
        await publisher.close()
    assert response.status_code == 503
