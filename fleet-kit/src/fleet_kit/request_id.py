"""The id that follows one request through every service, message and log line."""

import re
from contextvars import ContextVar
from uuid import uuid4

HEADER = "X-Request-ID"
_SANE = re.compile(r"[A-Za-z0-9._-]{1,128}")
"""The gateway has the same rule; with two of them, header and body would show different ids."""

_current: ContextVar[str | None] = ContextVar("request_id", default=None)


def current_request_id() -> str | None:
    """The id of the request or message being handled, None outside of one."""
    return _current.get()


def sane_request_id(candidate: object) -> str | None:
    """The id if it is one that we take over, else None."""
    return candidate if isinstance(candidate, str) and _SANE.fullmatch(candidate) else None


def set_request_id(candidate: str | None) -> str:
    """Take over a sane id or make one."""
    value = sane_request_id(candidate) or uuid4().hex
    _current.set(value)
    return value
