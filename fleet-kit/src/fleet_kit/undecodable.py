"""Deliveries that the AMQP driver cannot decode, handed on raw instead of ending the connection.

The broker passes properties on as a publisher wrote them; the driver (pamqp, below aiormq and aio-pika)
decodes them in the task that reads the socket. Where it fails there, the connection dies with everything that
was delivered over it, and the message comes again: whoever may publish stops every consumer. So a content
header that cannot be decoded is replaced by one without properties that remembers the raw ones, and the
consumer, which has the rest of the message, decides.
"""

import struct
from typing import Any

import pamqp.frame
from pamqp.commands import Basic
from pamqp.constants import FRAME_HEADER, FRAME_METHOD
from pamqp.frame import FrameTypes
from pamqp.header import ContentHeader

MAX_DECODED_BYTES = 32 * 1024
"""Larger properties are not decoded: it takes time with their square (32 KiB 0.1 s, 128 KiB 1 s)."""

Unmarshalled = tuple[int, int, FrameTypes]
_decode = pamqp.frame.unmarshal
_FRAME_START = 7
_HEADER_START = struct.Struct(">HHQ")
_DELIVER = struct.pack(">I", Basic.Deliver.index)


class Undecodable(dict[str, Any]):
    """Headers of a message whose properties cannot be decoded: none, but why, and the raw properties.

    A type of its own, which no publisher can forge.
    """

    def __init__(self, reason: str, properties: bytes) -> None:
        super().__init__()
        self.reason, self.properties = reason, properties

    def __bool__(self) -> bool:
        """The client library puts a new dictionary in the place of one that is false."""
        return True


def hand_on_undecodable() -> None:
    """Let every AMQP connection of this process hand on what cannot be decoded."""
    pamqp.frame.unmarshal = unmarshal


def unmarshal(data_in: bytes) -> Unmarshalled:
    """See pamqp.frame.unmarshal; raises as it does for what is no delivery."""
    kind, channel, size = pamqp.frame.frame_parts(data_in)
    try:
        if kind == FRAME_HEADER and (size or 0) > MAX_DECODED_BYTES:
            raise ValueError(f"{size} bytes are more than {MAX_DECODED_BYTES}")
        decoded = _decode(data_in)
        _check_usable(decoded[2])
        return decoded
    except Exception as error:  # RecursionError and OverflowError among them
        payload = data_in[_FRAME_START:-1]
        if kind == FRAME_HEADER and len(payload) >= _HEADER_START.size:
            return len(data_in), channel, _header(payload, error)
        if kind == FRAME_METHOD and payload.startswith(_DELIVER):
            return len(data_in), channel, _deliver(payload)
        raise


def _check_usable(frame: FrameTypes) -> None:
    """Raise ValueError for properties that aio-pika refuses later, when the message would be forgotten."""
    if isinstance(frame, ContentHeader):
        if frame.properties.delivery_mode not in (None, 0, 1, 2):
            raise ValueError(f"delivery_mode {frame.properties.delivery_mode}")
        if frame.properties.expiration is not None:
            float(frame.properties.expiration)


def _header(payload: bytes, error: Exception) -> ContentHeader:
    _, weight, body_size = _HEADER_START.unpack_from(payload)
    cause = error.__cause__ or error
    reason = f"properties cannot be decoded: {type(cause).__name__}: {cause}"[:300]
    headers = Undecodable(reason, payload[_HEADER_START.size :])
    return ContentHeader(weight, body_size, Basic.Properties(headers=headers))


def _deliver(payload: bytes) -> Basic.Deliver:
    """A delivery whose routing key is not UTF-8: `\\xff` and the like stand for the bytes that are not."""
    tag, rest = _short(payload[len(_DELIVER) :])
    delivery_tag, redelivered = struct.unpack_from(">QB", rest)
    exchange, rest = _short(rest[9:])
    routing_key, _ = _short(rest)
    return Basic.Deliver(tag, delivery_tag, bool(redelivered), exchange, routing_key)


def _short(data: bytes) -> tuple[str, bytes]:
    end = 1 + data[0]
    return data[1:end].decode("utf-8", "backslashreplace"), data[end:]
