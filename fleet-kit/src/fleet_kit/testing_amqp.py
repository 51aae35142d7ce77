"""Messages that no client library writes, for tests of what consumers make of them: frames made by hand."""

import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import aio_pika
import pamqp.frame
from aiormq.abc import AbstractChannel, ChannelFrame
from pamqp import commands
from pamqp.body import ContentBody

HEADERS, DELIVERY_MODE, EXPIRATION, MESSAGE_ID, TIMESTAMP = 0x2000, 0x1000, 0x0100, 0x0080, 0x0040
"""Flags of the properties of a content header, in the order in which the properties follow."""
_METHOD, _HEADER, _END = 1, 2, b"\xce"


def _frame(kind: int, channel: int, payload: bytes) -> bytes:
    return struct.pack(">BHI", kind, channel, len(payload)) + payload + _END


def _short(value: bytes) -> bytes:
    return struct.pack(">B", len(value)) + value


def _long(value: bytes) -> bytes:
    return struct.pack(">I", len(value)) + value


@dataclass(frozen=True)
class RawMessage:
    """`properties`: flags and property list as they go over the wire."""

    properties: bytes
    body: bytes
    routing_key: bytes

    def frame_list(self, channel: int, exchange: str) -> list[bytes]:
        """The frames of publishing it on that channel: method, header and, unless it is empty, body."""
        method = struct.pack(">IH", commands.Basic.Publish.index, 0)
        method += _short(exchange.encode()) + _short(self.routing_key) + b"\x00"
        header = struct.pack(">HHQ", commands.Basic.frame_id, 0, len(self.body)) + self.properties
        content = [pamqp.frame.marshal(ContentBody(self.body), channel)] if self.body else []
        return [_frame(_METHOD, channel, method), _frame(_HEADER, channel, header), *content]


def table(*entries: bytes) -> bytes:
    """A table of headers."""
    return _long(b"".join(entries))


def entry(name: bytes, kind: bytes, value: bytes) -> bytes:
    """One header: kind is the protocol's letter of the value's type."""
    return _short(name) + kind + value


def nested(depth: int) -> bytes:
    """A table in a table, so many deep."""
    content = b""
    for _ in range(depth):
        content = entry(b"x", b"F", _long(content))
    return table(content)


UNDECODABLE: dict[str, bytes] = {
    "message_id that is not UTF-8": struct.pack(">H", MESSAGE_ID) + b"\x02\xff\xfe",
    "timestamp of 2^63": struct.pack(">HQ", TIMESTAMP, 2**63),
    "header name that is not UTF-8": struct.pack(">H", HEADERS) + table(entry(b"\xff\xfe", b"b", b"\x01")),
    "headers 3,000 deep": struct.pack(">H", HEADERS) + nested(3000),
    "65,000 headers": struct.pack(">H", HEADERS) + table(b"\x00V" * 65_000),
    "timestamp of 2^63 in a header": struct.pack(">H", HEADERS)
    + table(entry(b"at", b"T", struct.pack(">Q", 2**63))),
}
"""Properties that a broker passes on and the client library cannot, or had better not, decode, by name."""


async def publish_raw(url: str, exchange: str, *messages: RawMessage) -> None:
    """Publish them; returns when the broker has them. Raises AMQPError where it refuses one."""
    connection = await aio_pika.connect(url, timeout=60)
    async with connection:
        channel = await connection.channel(publisher_confirms=False)
        underlay = await channel.get_underlay_channel()
        for message in messages:
            await _write(underlay, b"".join(message.frame_list(underlay.number, exchange)))
        # The broker handles a channel's frames in their order, so an answer says that they are through.
        await channel.set_qos(prefetch_count=1, timeout=60)


async def _write(channel: AbstractChannel, payload: bytes) -> None:
    put: Callable[[ChannelFrame], Awaitable[None]] = channel.write_queue.put  # type: ignore[attr-defined]
    await put(ChannelFrame(payload=payload, should_close=False))
