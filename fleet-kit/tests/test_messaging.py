import asyncio
from collections.abc import AsyncIterator

import aio_pika
import pytest

from fleet_contracts.topology import MONITORING_TELEMETRY, TELEMETRY_EXCHANGE, telemetry_key
from fleet_kit.messaging import Publisher, PublishFailed


@pytest.fixture
async def publisher(amqp_url: str) -> AsyncIterator[Publisher]:
    publisher = Publisher(amqp_url, "test", timeout_seconds=3)
    async with await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel()
        await (await channel.get_queue(MONITORING_TELEMETRY.name, ensure=False)).purge()
    yield publisher
    await publisher.close()


async def test_a_publish_that_returns_is_in_the_queue(publisher: Publisher, amqp_url: str) -> None:
    key = telemetry_key("d1")
    await publisher.publish(TELEMETRY_EXCHANGE, key, b"{}", message_id="m1", headers={"x-a": 1})
    connection = await aio_pika.connect(amqp_url)
    async with connection:
        channel = await connection.channel()
        queue = await channel.get_queue(MONITORING_TELEMETRY.name)
        message = await queue.get(timeout=5)
        assert (message.message_id, message.routing_key, message.headers["x-a"]) == ("m1", key, 1)
        await message.ack()


async def test_a_publish_that_reaches_no_queue_raises_and_the_next_one_still_works(
    publisher: Publisher, amqp_url: str
) -> None:
    with pytest.raises(PublishFailed):
        await publisher.publish(TELEMETRY_EXCHANGE, "nobody.listens", b"{}", message_id="m1")
    await publisher.publish(TELEMETRY_EXCHANGE, telemetry_key("d"), b"{}", message_id="m2")


async def test_a_publish_to_an_exchange_that_is_missing_raises(publisher: Publisher) -> None:
    with pytest.raises(PublishFailed):
        await publisher.publish("no.such.exchange", "key", b"{}", message_id="m1")
    await publisher.publish(TELEMETRY_EXCHANGE, telemetry_key("d"), b"{}", message_id="m2")


async def test_a_broker_that_is_away_is_an_error_and_not_a_wait() -> None:
    publisher = Publisher("amqp://guest:guest@127.0.0.1:9/", "test", timeout_seconds=1)
    with pytest.raises(PublishFailed):
        async with asyncio.timeout(60):
            await publisher.publish("amq.topic", "key", b"{}", message_id="m1")
    with pytest.raises((OSError, aio_pika.exceptions.AMQPError)):
        await publisher.check()


async def test_a_frozen_broker_is_an_error_within_the_time_out() -> None:
    async def never_answer(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    server = await asyncio.start_server(never_answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    publisher = Publisher(f"amqp://guest:guest@127.0.0.1:{port}/", "test", timeout_seconds=1)
    with pytest.raises(PublishFailed):
        async with asyncio.timeout(60):
            await publisher.publish("amq.topic", "key", b"{}", message_id="m1")
    server.close()
