import asyncio
import json
import time
from collections.abc import AsyncIterator
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
from fleet_kit.messaging import Publisher
from fleet_kit.testing import eventually

from .conftest import Organization
from .support import device_key, path_of


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
    async with asyncio.timeout(5):
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


async def test_broker_away_answers_503_soon(app: FastAPI, organization: Organization) -> None:
    made = await organization.make_device()
    present = app.state.telemetry
    app.state.telemetry = TelemetryService(
        Publisher("amqp://nobody:none@127.0.0.1:1/", "test", timeout_seconds=2)
    )
    try:
        begin = time.monotonic()
        response = await organization.operator.post(path_of(made, "/telemetry"), json={"metrics": {"a": 1}})
        assert time.monotonic() - begin < 5
    finally:
        app.state.telemetry = present
    assert (response.status_code, response.json()["error"]["code"]) == (503, "UNAVAILABLE")
    assert int(response.headers["retry-after"]) > 0


async def test_frozen_broker_answers_503_and_holds_no_database_connection(
    app: FastAPI, organization: Organization
) -> None:
    made = await organization.make_device()
    reached = asyncio.Event()

    async def freeze(*_: object) -> None:
        reached.set()
        await asyncio.sleep(30)

    async def held_by_nobody() -> bool:
        return bool(app.state.engine.pool.checkedout() == 0)

    async with await asyncio.start_server(freeze, "127.0.0.1", 0) as frozen:
        port = frozen.sockets[0].getsockname()[1]
        present = app.state.telemetry
        app.state.telemetry = TelemetryService(
            Publisher(f"amqp://x:y@127.0.0.1:{port}/", "test", timeout_seconds=5)
        )
        try:
            begin = time.monotonic()
            sending = [
                asyncio.create_task(
                    organization.operator.post(path_of(made, "/telemetry"), json={"metrics": {"a": 1}})
                )
                for _ in range(20)
            ]
            await reached.wait()
            await eventually(held_by_nobody, timeout=4)
            assert not any(task.done() for task in sending)
            answers = await asyncio.gather(*sending)
            assert time.monotonic() - begin < 15
        finally:
            app.state.telemetry = present
    assert {answer.status_code for answer in answers} == {503}


async def test_reading_that_no_queue_would_get_is_not_accepted(
    organization: Organization, app: FastAPI, make_amqp_url: Any
) -> None:
    """Unbound queue: the return is noticed although the broker confirms."""
    made = await organization.make_device()
    url = make_amqp_url()
    connection = await aio_pika.connect(url)
    async with connection:
        channel = await connection.channel()
        queue = await channel.get_queue("monitoring.telemetry")
        await queue.unbind("amq.topic", "devices.*.telemetry")
    publisher = Publisher(url, "test", timeout_seconds=2)
    present, app.state.telemetry = app.state.telemetry, TelemetryService(publisher)
    try:
        response = await organization.operator.post(path_of(made, "/telemetry"), json={"metrics": {"a": 1}})
    finally:
        app.state.telemetry = present
        await publisher.close()
    assert response.status_code == 503
