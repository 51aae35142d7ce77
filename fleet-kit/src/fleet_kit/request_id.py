"""The id that follows one request through every service, message and log line."""

import re
from contextvars import ContextVar
from uuid import uuid4

HEADER = "X-Request-ID"
_SANE = re.compile(r"^[A-Za-z0-9._-]{1,64}$")
_current: ContextVar[str | None] = ContextVar("request_id", default=None)


def current_request_id() -> str | None:
    """The id of the request or message being handled, None outside of one."""
    return _current.get()


def set_request_id(candidate: str | None) -> str:
    """Take over a sane id or make one."""
    value = candidate if candidate and _SANE.match(candidate) else uuid4().hex
    _current.set(value)
    return value
