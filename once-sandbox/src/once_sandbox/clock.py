"""The sandbox's own time: it follows the real clock until somebody moves, speeds up or stops it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

DAY = 86_400.0
"""Seconds in a day."""


@dataclass(slots=True)
class Clock:
    """Seconds since 1970 in the sandbox's time: `base` plus what has passed since, times `speed`."""

    base: float = field(default_factory=time.time)
    started: float = field(default_factory=time.monotonic)
    speed: float = 1.0
    _held: float | None = None

    def now(self) -> float:
        """The sandbox's present moment; within `at`, the moment given there."""
        if self._held is not None:
            return self._held
        return self.base + (time.monotonic() - self.started) * self.speed

    def today(self) -> date:
        """The sandbox's present UTC day."""
        return as_day(self.now())

    def move(self, *, to: float | None = None, by: float = 0.0, speed: float | None = None) -> None:
        """Jump to a moment or by some seconds; `speed` 0 stops time, 3600 lets an hour pass each second."""
        self.base = (self.now() if to is None else to) + by
        self.started = time.monotonic()
        self.speed = self.speed if speed is None else speed

    @contextmanager
    def at(self, moment: float) -> Iterator[None]:
        """Let everything inside happen at that moment."""
        before, self._held = self._held, moment
        try:
            yield
        finally:
            self._held = before


def as_datetime(moment: float) -> datetime:
    """A moment as a UTC datetime."""
    return datetime.fromtimestamp(moment, UTC)


def as_day(moment: float) -> date:
    """The UTC day of a moment."""
    return as_datetime(moment).date()


def midnight(day: date) -> float:
    """The first moment of a UTC day."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()


def as_moment(value: datetime) -> float:
    """A datetime as a moment; without a zone it is UTC."""
    return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
