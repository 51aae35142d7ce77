"""Messages that the AMQP driver cannot decode: set aside, while their neighbours are handled."""

import asyncio
import base64
import struct
from datetime import UTC, datetime, timedelta
from unittest import mock

import pytest
from pamqp.exceptions import PAMQPException
from pamqp.header import ContentHeader

from fleet_contracts.events import TokenRevoked, TokenRevokedData
from fleet_contracts.topology import (
    DEAD_EXCHANGE,
    EVENTS_EXCHANGE,
    MAX_PROPERTIES_BYTES,
    PROPERTIES_HEADER,
    REASON_HEADER,
    TELEMETRY_EXCHANGE,
    Queue,
    telemetry_key,
)
from fleet_kit import consumer
from fleet_kit.consumer import Failure
from fleet_kit.failure_router import Delivery, RejectNow
from fleet_kit.http_client import open_http
from fleet_kit.messaging import Publisher
from fleet_kit.redis_client import open_redis
from fleet_kit.revocations import RevocationListener
from fleet_kit.testing import eventually
from fleet_kit.testing_amqp import DELIVERY_MODE, EXPIRATION, UNDECODABLE, RawMessage, publish_raw
from fleet_kit.token_denylist import DenylistClient
from fleet_kit.undecodable import Undecodable, unmarshal

from .support import QUEUE, consuming, depth, holds, send, take

pytestmark = pytest.mark.attack

KEY = telemetry_key("d").encode()


class CountingListener(RevocationListener):
    sessions = 0

    async def _session(self) -> None:
        self.sessions += 1
        await super()._session()


@pytest.mark.parametrize("properties", UNDECODABLE.values(), ids=UNDECODABLE)
async def test_a_message_that_cannot_be_decoded_is_set_aside_and_its_neighbours_are_handled(
    amqp_url: str, publisher: Publisher, properties: bytes
) -> None:
    handled: list[bytes] = []

    async def handler(deliveries: list[Delivery]) -> None:
        handled.extend(delivery.body for delivery in deliveries)

    before, after = ([f"{name} {number}".encode() for number in range(100)] for name in ("before", "after"))
    await send(publisher, *before)
    await publish_raw(amqp_url, TELEMETRY_EXCHANGE, RawMessage(properties, b"bad", KEY))
    await send(publisher, *after)
    async with consuming(amqp_url, publisher, handler, max_batch=50) as consumer:
        await eventually(lambda: holds(lambda: len(handled) >= 200))
        await eventually(lambda: depth(amqp_url, QUEUE.dead))
        await consumer.check()
    assert handled == [*before, *after]
    assert await depth(amqp_url, QUEUE.name) == 0
    dead = await take(amqp_url, QUEUE.dead)
    assert dead.body == b"bad"
    assert str(dead.headers[REASON_HEADER]).startswith("properties cannot be decoded: ")
    kept = base64.b64decode(str(dead.headers[PROPERTIES_HEADER]))
    assert kept == properties[:MAX_PROPERTIES_BYTES]


@pytest.mark.parametrize("properties", UNDECODABLE.values(), ids=UNDECODABLE)
async def test_a_dead_letter_that_cannot_be_decoded_is_handed_to_who_reads_dead_letters(
    amqp_url: str, publisher: Publisher, properties: bytes
) -> None:
    handled: list[Delivery] = []

    async def handler(deliveries: list[Delivery]) -> None:
        handled.extend(deliveries)

    raw = RawMessage(properties, b"bad", QUEUE.name.encode())
    await publish_raw(amqp_url, DEAD_EXCHANGE, raw)
    await publisher.publish(DEAD_EXCHANGE, QUEUE.name, b"good", message_id="m")
    async with consuming(amqp_url, publisher, handler, queue=Queue(QUEUE.dead), takes_undecodable=True):
        await eventually(lambda: holds(lambda: len(handled) == 2))
    [bad, good] = handled
    assert bad.undecodable is not None
    assert bad.undecodable.properties == properties
    assert good.undecodable is None
    assert await depth(amqp_url, QUEUE.dead) == 0


async def test_who_reads_dead_letters_asks_for_no_dead_letters_of_their_own(
    amqp_url: str, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There are none, which the broker logs as an error at each question."""
    watch = mock.Mock(side_effect=AssertionError)
    monkeypatch.setattr(consumer, "watch_dead_letters", watch)
    handled: list[Delivery] = []

    async def handler(deliveries: list[Delivery]) -> None:
        handled.extend(deliveries)

    await publisher.publish(DEAD_EXCHANGE, QUEUE.name, b"good", message_id="m")
    async with consuming(amqp_url, publisher, handler, queue=Queue(QUEUE.dead), takes_undecodable=True):
        await eventually(lambda: holds(lambda: bool(handled or watch.called)))
    assert not watch.called


async def test_a_routing_key_that_is_not_utf_8_reaches_the_handler_as_text(
    amqp_url: str, publisher: Publisher
) -> None:
    handled: list[str] = []

    async def handler(deliveries: list[Delivery]) -> list[Failure]:
        handled.extend(delivery.routing_key for delivery in deliveries)
        return [Failure(delivery, RejectNow("no device")) for delivery in deliveries]

    plain = struct.pack(">H", 0)
    await publish_raw(amqp_url, TELEMETRY_EXCHANGE, RawMessage(plain, b"x", b"devices.\xff\xfe.telemetry"))
    async with consuming(amqp_url, publisher, handler):
        await eventually(lambda: depth(amqp_url, QUEUE.dead))
    assert handled == ["devices.\\xff\\xfe.telemetry"]


@pytest.mark.parametrize(
    "properties",
    [
        pytest.param(struct.pack(">HB", DELIVERY_MODE, 3), id="delivery mode 3"),
        pytest.param(struct.pack(">H", EXPIRATION) + b"\x04soon", id="expiration in words"),
        pytest.param(b"", id="no flags"),
    ],
)
def test_properties_that_the_client_library_refuses_later_count_as_undecodable(properties: bytes) -> None:
    [_, header] = RawMessage(properties, b"", KEY).frame_list(1, "")
    size, channel, frame = unmarshal(header)
    assert (size, channel) == (len(header), 1)
    assert isinstance(frame, ContentHeader)
    assert isinstance(frame.properties.headers, Undecodable)
    assert frame.properties.headers.properties == properties


def test_what_is_no_delivery_still_ends_the_connection() -> None:
    unknown_method = b"\x01\x00\x01" + struct.pack(">I", 4) + b"\xff\xff\xff\xff" + b"\xce"
    with pytest.raises(PAMQPException):
        unmarshal(unknown_method)


@pytest.mark.parametrize(
    ("properties", "body"),
    [
        pytest.param(struct.pack(">H", 0), b"", id="empty body"),
        pytest.param(struct.pack(">H", 0x8000) + b"\x10application/x-no", b"{}", id="content type"),
        pytest.param(struct.pack(">H", 0x4000) + b"\x07deflate", b"\x00\xff", id="content encoding"),
    ],
)
async def test_an_empty_body_and_unknown_kinds_of_content_reach_the_handler(
    amqp_url: str, publisher: Publisher, properties: bytes, body: bytes
) -> None:
    handled: list[bytes] = []

    async def handler(deliveries: list[Delivery]) -> None:
        handled.extend(delivery.body for delivery in deliveries)

    await publish_raw(amqp_url, TELEMETRY_EXCHANGE, RawMessage(properties, body, KEY))
    await send(publisher, b"next")
    async with consuming(amqp_url, publisher, handler):
        await eventually(lambda: holds(lambda: handled == [body, b"next"]))


async def test_a_revocation_is_heard_after_an_event_that_cannot_be_decoded(
    amqp_url: str, publisher: Publisher, redis_url: str
) -> None:
    expires = datetime.now(UTC) + timedelta(minutes=5)
    data = TokenRevokedData(jti="j", sid="s", expires_at=expires)
    event = TokenRevoked(source="test", subject="j", data=data)
    redis = open_redis(redis_url)
    async with open_http() as http:
        denylist = DenylistClient(redis, http, "http://127.0.0.1:9")
        heard: list[TokenRevokedData] = []

        async def on_revoked(data: TokenRevokedData) -> None:
            heard.append(data)

        listener = CountingListener(amqp_url, "test", denylist, on_revoked)
        task = asyncio.create_task(listener.run())

        async def hears() -> bool:
            await publisher.publish_event(event)
            return bool(heard)

        await eventually(hears)
        for properties in UNDECODABLE.values():
            await publish_raw(amqp_url, EVENTS_EXCHANGE, RawMessage(properties, b"{}", b"token.revoked"))
        heard.clear()
        await eventually(hears)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await redis.aclose()
    assert listener.sessions == 1
