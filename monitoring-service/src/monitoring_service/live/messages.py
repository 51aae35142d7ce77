"""What clients of the live feed may send: a few of the messages that Engine.IO and Socket.IO know.

The libraries accept many more (other namespaces, binary attachments, upgrades, events with the names of the
server's own handlers), which no client needs and each of which would have to be bounded.
"""

import re
from enum import StrEnum

import orjson

_EVENT = re.compile(r"42[0-9]{0,9}(?P<data>\[.*)", re.DOTALL)
_RESERVED = frozenset({"connect", "disconnect", "connect_error"})
"""Events of the connection itself; as events of a client the library would hand them to the same handlers."""
_MAX_ARGUMENTS = 4


class Kind(StrEnum):
    """What a message is for."""

    PONG = "pong"
    CONNECT = "connect"
    EVENT = "event"
    GOODBYE = "goodbye"


def kind_of(text: str | None) -> Kind:
    """The kind of a message, None for a binary one; raises ValueError, whose text is for the client."""
    if text == "3":
        return Kind.PONG
    if text in {"1", "41"}:
        return Kind.GOODBYE
    if text is not None and (text == "40" or text.startswith("40{")):
        _parse(text[2:] or "{}")
        return Kind.CONNECT
    event = _EVENT.fullmatch(text or "")
    if event is None:
        raise ValueError("only pongs, CONNECT and events of the namespace / are understood")
    _check_event(_parse(event["data"]))
    return Kind.EVENT


def _parse(text: str) -> object:
    try:
        return orjson.loads(text)
    except ValueError as error:
        raise ValueError("the message is not valid JSON") from error


def _check_event(data: object) -> None:
    if not isinstance(data, list) or not data or not isinstance(data[0], str):
        raise ValueError("an event is an array that begins with its name")
    if data[0] in _RESERVED:
        raise ValueError("this name of an event is reserved")
    if len(data) > 1 + _MAX_ARGUMENTS:
        raise ValueError(f"an event has at most {_MAX_ARGUMENTS} arguments")
