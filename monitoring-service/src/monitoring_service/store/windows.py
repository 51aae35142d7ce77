"""Reading a long range in pieces whose width follows what they hold.

A query may stop early only where the store can walk an index in order and stop; not every server does
(SecantusDB materialises the whole index range before it applies the limit, 30 µs a document). So ranges are
read in windows small enough to hold about a page each.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from monitoring_service.store.sequence import MINUTE

_GROW = 4
_SHRINK = 0.25
_SPILL = 10_000
"""A block is counted in the minute that it starts in; so many of its numbers may lie in the next one."""


class Walk(Protocol):
    """Pieces of a range, one after the other."""

    def next(self) -> tuple[int, int] | None:
        """The next half-open piece, None at the end."""

    def found(self, documents: int) -> None:
        """Tell how many documents the last piece held."""


@dataclass(slots=True)
class Windows:
    """Half-open pieces [low, high) of [start, end), walked upwards, or downwards when `backwards`.

    All in the same whole unit. `aim` is how many documents a piece should hold, `widest` its limit.
    """

    start: int
    end: int
    width: float
    widest: int
    aim: int
    backwards: bool = False

    def next(self) -> tuple[int, int] | None:
        """The next piece, None at the end."""
        if self.start >= self.end:
            return None
        step = max(1, int(self.width))
        if self.backwards:
            low, high = max(self.start, self.end - step), self.end
            self.end = low
        else:
            low, high = self.start, min(self.end, self.start + step)
            self.start = high
        return low, high

    def found(self, documents: int) -> None:
        """Tell how many documents the last piece held."""
        factor = _GROW if documents == 0 else min(_GROW, max(_SHRINK, self.aim / documents))
        self.width = max(1.0, min(self.widest, self.width * factor))


class FilledMinutes:
    """Pieces of [start, end) of the sequence that leave out minutes in which nothing was stored.

    `minutes` says how many documents each minute has; one that has more than `aim` is walked in windows.
    """

    def __init__(
        self, minutes: Mapping[int, int], start: int, end: int, *, aim: int, backwards: bool = False
    ) -> None:
        self._counts, self._aim, self._backwards = minutes, aim, backwards
        self._start, self._end = start, end
        # The next minute to walk is the last of the list.
        self._minutes = sorted((minute for minute, n in minutes.items() if n), reverse=not backwards)
        self._inside: Windows | None = None

    def next(self) -> tuple[int, int] | None:
        """The next piece, None at the end."""
        while True:
            piece = self._inside.next() if self._inside is not None else None
            if piece is not None:
                return piece
            if not self._minutes:
                return None
            self._inside = self._open(self._minutes.pop())

    def found(self, documents: int) -> None:
        """Tell how many documents the last piece held."""
        if self._inside is not None:
            self._inside.found(documents)

    def _open(self, minute: int) -> Windows:
        low = max(self._start, minute * MINUTE)
        high = min(self._end, (minute + 1) * MINUTE + _SPILL)
        if low < high:
            if self._backwards:
                self._end = low
            else:
                self._start = high
        width = max(1.0, (high - low) * min(1.0, self._aim / self._counts[minute]))
        return Windows(low, high, width, MINUTE + _SPILL, self._aim, self._backwards)
