"""Calls that an answer is better with but does not need: whoever waits for the answer waits little for them.

Each call has a time budget of its own (8 s for people); several in one request would add up.
"""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

OPTIONAL_SECONDS = 1.5

_latest_end: ContextVar[float] = ContextVar("carrier_latest_end", default=math.inf)


@contextmanager
def optional_call() -> Iterator[None]:
    """Calls within the context end after OPTIONAL_SECONDS, as if the carrier were unavailable."""
    token = _latest_end.set(min(_latest_end.get(), time.monotonic() + OPTIONAL_SECONDS))
    try:
        yield
    finally:
        _latest_end.reset(token)


def latest_end() -> float:
    """When a call that begins now has to be over, on the monotonic clock; infinity without a limit."""
    return _latest_end.get()
