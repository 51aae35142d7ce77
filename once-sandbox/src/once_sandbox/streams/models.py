"""Pushes that are configured, and what became of them."""

from collections import deque
from dataclasses import dataclass, field
from typing import Literal

import httpx

from once_sandbox.streams.schemas import ForwarderConfig, StreamConfig
from once_sandbox.wire import Json

State = Literal["running", "stopped"]
LONGEST_PAUSE = 60.0


@dataclass(slots=True)
class Pace:
    """When the next attempt may be made (monotonic seconds), and how often the last ones failed."""

    next_at: float = 0.0
    failures: int = 0
    last_error: str | None = None

    def failed(self, now: float, first_pause: float, error: str) -> None:
        """Wait longer after every failure."""
        self.next_at = now + min(LONGEST_PAUSE, first_pause * 2**self.failures)
        self.failures += 1
        self.last_error = error

    def succeeded(self, now: float, pause: float) -> None:
        """Back to the usual pause."""
        self.next_at, self.failures, self.last_error = now + pause, 0, None


@dataclass(slots=True)
class Stream:
    """A Data Streamer. Records leave the queue only once they were answered with exactly 200."""

    id: int
    config: StreamConfig
    queue: deque[Json] = field(default_factory=deque)
    state: State = "running"
    pace: Pace = field(default_factory=Pace)
    posts: int = 0
    delivered: int = 0

    def json(self) -> Json:
        """The stream for the control API."""
        return {
            "id": self.id,
            "state": self.state,
            "config": self.config.model_dump(mode="json"),
            "waiting": len(self.queue),
            "posts": self.posts,
            "delivered": self.delivered,
            "failures": self.pace.failures,
            "last_error": self.pace.last_error,
        }


@dataclass(slots=True)
class Delivery:
    """One push of the SMS Forwarder; `since` is a moment of the sandbox's time."""

    method: str
    body: Json
    since: float
    pace: Pace = field(default_factory=Pace)


@dataclass(slots=True)
class Pushes:
    """Everything that is pushed."""

    streams: dict[int, Stream] = field(default_factory=dict)
    forwarder: ForwarderConfig | None = None
    deliveries: deque[Delivery] = field(default_factory=deque)
    forwarded: int = 0
    given_up: int = 0
    added: int = 0
    client: httpx.AsyncClient | None = None
