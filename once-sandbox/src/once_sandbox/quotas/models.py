"""One quota: bytes of data or a number of messages."""

from dataclasses import dataclass

from once_sandbox.wire import MEGABYTE

THRESHOLD_PERCENT = 20
DATA_GRANT = 500 * MEGABYTE
"""Bytes of a new SIM and of one top-up."""
SMS_GRANT = 250
"""Messages of a new SIM and of one top-up."""


@dataclass(slots=True)
class Quota:
    """What was granted and used over the SIM's life; `total` is what was there right after the last grant."""

    granted: int
    used: int
    total: int
    added: int
    expires_at: float
    changed_at: float
    threshold_at: float | None = None
    exceeded_at: float | None = None

    @property
    def remaining(self) -> int:
        """What is left; negative after an overrun."""
        return self.granted - self.used

    @property
    def threshold(self) -> float:
        """At or below this the quota counts as low."""
        return self.total * THRESHOLD_PERCENT / 100

    def level(self) -> int:
        """0 more than 20 % left, 1 less, 2 nothing."""
        if self.remaining <= 0:
            return 2
        return 1 if self.remaining <= self.threshold else 0

    def expired(self, now: float) -> bool:
        """Whether its time is over."""
        return now >= self.expires_at

    def grant(self, volume: int, now: float) -> None:
        """Add bought volume."""
        self.total = self.remaining + volume
        self.granted += volume
        self.added = volume
        self.changed_at = now
        self._mark(now)

    def use(self, volume: int, now: float) -> tuple[int, int]:
        """Take volume; returns the level before and after."""
        before = self.level()
        self.used += volume
        if self.level() != before:
            self._mark(now)
        return before, self.level()

    def set_remaining(self, remaining: int, now: float) -> None:
        """Pretend that exactly this much is left."""
        self.used = self.granted - remaining
        self._mark(now)

    def _mark(self, now: float) -> None:
        level = self.level()
        self.changed_at = now
        self.threshold_at = (self.threshold_at or now) if level >= 1 else None
        self.exceeded_at = (self.exceeded_at or now) if level == 2 else None
