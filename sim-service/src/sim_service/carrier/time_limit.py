"""Calls that an answer is better with but does not need: whoever waits for the answer waits little for them.

Each call has a time budget of its own (8 s for people); several in one request would add up.
"""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

OPTIONAL_SECONDS = 1.5

_deadline: ContextVar[float] = ContextVar("carrier_deadline", default=math.inf)


@contextmanager
def optional_call() -> Iterator[None]:
    """Calls within the context end after OPTIONAL_SECONDS, as if the carrier were unavailable."""
    token = _deadline.set(min(_deadline.get(), time.monotonic() + OPTIONAL_SECONDS))
    try:
        yield
    finally:
        _deadline.reset(token)


def current_deadline() -> float:
    """When a call that begins now has to be over, on the monotonic clock; infinity without a limit."""
    return _deadline.get()
