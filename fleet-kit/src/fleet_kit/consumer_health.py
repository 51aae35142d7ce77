"""What a consumer says about itself when it is asked for its health."""

import time
from collections import deque
from dataclasses import dataclass, field

from fleet_contracts.topology import MAX_DEAD_LETTERS, RETRY_DELAYS_SECONDS
from fleet_kit.consumer_metrics import RESTARTS
from fleet_kit.failure_router import Outcome
from fleet_kit.health import Degraded, Unwell

STALLED_SECONDS = 120.0
"""A batch in hand for longer, without a pause, is stalled."""
MAX_RESTARTS = 5
RESTART_WINDOW_SECONDS = 120.0
"""More than MAX_RESTARTS in this time: something ends the connection again and again."""
DROPPED_SHOWN_SECONDS = 3600.0
"""A dropped dead letter shows for this long."""
RETURN_SECONDS = RETRY_DELAYS_SECONDS[-1] + 180.0
"""A message that was sent to wait is back after this time, if the broker moves any at all."""
NEARLY_FULL = 0.8


@dataclass
class ConsumerHealth:
    """Is told by the consumer of one queue how it goes, and answers the checks."""

    queue: str
    connected: bool = False
    paused: bool = False
    held: str | None = None
    """Why messages cannot be moved to waiting queues and dead letters at the moment."""
    _restarts: deque[float] = field(default_factory=deque)
    _progress: float = field(default_factory=time.monotonic)
    _dropped_at: float | None = None
    _sent_to_wait_at: float | None = None
    _dead_letters: int = 0
    _waiting: int = 0

    def progressed(self) -> None:
        """A batch has begun or ended."""
        self._progress = time.monotonic()

    def ended(self, *, wanted: bool) -> None:
        """The session is over; one that had been connected begins again, unless the end was wanted."""
        if self.connected and not wanted:
            RESTARTS.labels(self.queue).inc()
            self._restarts.append(time.monotonic())
        self.connected = False

    def moved(self, outcome: Outcome) -> None:
        """A message that was not handled has been moved, or lost."""
        if outcome == "dropped":
            self._dropped_at = time.monotonic()
        elif outcome == "retried" and self._sent_to_wait_at is None:
            self._sent_to_wait_at = time.monotonic()

    def counted(self, *, dead: int, waiting: int) -> None:
        """So many are among the dead letters and in the waiting queues."""
        self._dead_letters, self._waiting = dead, waiting
        if not waiting:
            self._sent_to_wait_at = None

    def returned(self) -> None:
        """A message has come back from a waiting queue."""
        self._sent_to_wait_at = None

    def check_receiving(self, *, in_hand: bool) -> None:
        """Raise where messages do not come in or are not worked off; `in_hand`: some were delivered."""
        now = time.monotonic()
        if not self.connected:
            raise ConnectionError(f"consumer of {self.queue} is not connected")
        if not self.paused and in_hand and now - self._progress > STALLED_SECONDS:
            raise TimeoutError(f"consumer of {self.queue} makes no progress")
        while self._restarts and now - self._restarts[0] > RESTART_WINDOW_SECONDS:
            self._restarts.popleft()
        if len(self._restarts) > MAX_RESTARTS:
            raise Unwell(f"{self.queue}: {len(self._restarts)} restarts in {RESTART_WINDOW_SECONDS:g} s")
        if self.held:
            raise Unwell(f"{self.queue}: {self.held}")
        if self._sent_to_wait_at and self._waiting and now - self._sent_to_wait_at > RETURN_SECONDS:
            raise Unwell(f"{self.queue}: messages do not come back from the waiting queues")

    def check_dead_letters(self) -> None:
        """Raise Degraded where dead letters were dropped lately, or soon will be."""
        if self._dropped_at and time.monotonic() - self._dropped_at < DROPPED_SHOWN_SECONDS:
            raise Degraded(f"{self.queue}: dead letters were dropped, for their queue is full")
        if self._dead_letters >= NEARLY_FULL * MAX_DEAD_LETTERS:
            raise Degraded(f"{self.queue}: {self._dead_letters} of {MAX_DEAD_LETTERS} dead letters")
