"""Reading a long range in pieces whose width follows what they hold.

A query may stop early only where the store can walk an index in order and stop; not every server does
(SecantusDB materialises the whole index range before it applies the limit, 30 µs a document). So ranges are
read in windows small enough to hold about a page each.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from monitoring_service.store.sequence import MINUTE

MINUTE_MS = 60_000
_GROW = 4
_SHRINK = 0.25
SPILL = 10_000
"""A block is counted in the minute that it starts in; so many of its numbers may lie in the next one."""


class Walk(Protocol):
    """Pieces of a range, one after the other."""

    def next(self) -> tuple[int, int] | None:
        """The next half-open piece, None at the end."""

    def found(self, documents: int) -> None:
        """Tell how many documents the last piece held."""

    def return_to(self, border: int) -> None:
        """Tell that the last piece was read up to there only: the next one begins at it."""


@dataclass(slots=True)
class Windows:
    """Half-open pieces [low, high) of [start, end), walked upwards, or downwards when `backwards`.

    All in the same whole unit. `aim` is how many documents a piece should hold, `widest` its limit; `lead` is
    added to the first one, to cross a part that is expected to be empty.
    """

    start: int
    end: int
    width: float
    widest: int
    aim: int
    backwards: bool = False
    lead: int = 0

    def next(self) -> tuple[int, int] | None:
        """The next piece, None at the end."""
        if self.start >= self.end:
            return None
        step, self.lead = max(1, int(self.width)) + self.lead, 0
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

    def return_to(self, border: int) -> None:
        """Tell that the last piece was read up to there only."""
        if self.backwards:
            self.end = border
        else:
            self.start = border


def whole(start: int, end: int) -> Windows:
    """All of [start, end) as one piece."""
    return Windows(start, end, end - start, max(1, end - start), 1)


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

    def return_to(self, border: int) -> None:
        """Tell that the last piece was read up to there only."""
        if self._inside is not None:
            self._inside.return_to(border)

    def _open(self, minute: int) -> Windows:
        low = max(self._start, minute * MINUTE)
        high = min(self._end, (minute + 1) * MINUTE + SPILL)
        if low < high:
            if self._backwards:
                self._end = low
            else:
                self._start = high
        width = max(1.0, (high - low) * min(1.0, self._aim / self._counts[minute]))
        return Windows(low, high, width, MINUTE + SPILL, self._aim, self._backwards)


class CountedMinutes:
    """Pieces of [start, end) of epoch milliseconds, backwards, as wide as a count of each minute allows.

    Nothing is left out: a minute without a count is read with its neighbours, at most `widest` together.
    """

    def __init__(
        self, counts: Mapping[int, int], start: int, end: int, *, aim: int, widest: int = 24 * 3_600_000
    ) -> None:
        self._counts, self._aim, self._widest = counts, aim, widest
        self._start, self._end = start, end
        self._minutes = sorted(minute for minute, n in counts.items() if n > 0 and minute * MINUTE_MS < end)
        self._inside: Windows | None = None

    def next(self) -> tuple[int, int] | None:
        """The next piece, None at the end."""
        piece = self._inside.next() if self._inside is not None else None
        if piece is None and self._start < self._end:
            low, number = self._low()
            low, high, self._end = max(self._start, low), self._end, max(self._start, low)
            width = (high - low) * min(1.0, self._aim / max(1, number))
            self._inside = Windows(low, high, width, high - low, self._aim, backwards=True)
            piece = self._inside.next()
        return piece

    def found(self, documents: int) -> None:
        """Tell how many documents the last piece held."""
        if self._inside is not None:
            self._inside.found(documents)

    def return_to(self, border: int) -> None:
        """Tell that the last piece was read up to there only."""
        if self._inside is not None:
            self._inside.return_to(border)

    def _low(self) -> tuple[int, int]:
        """Where to read down to, and how many documents that should be."""
        number, bound = 0, self._end - self._widest
        while self._minutes:
            low = self._minutes[-1] * MINUTE_MS
            high, count = low + MINUTE_MS, self._counts[self._minutes[-1]]
            if high <= bound:
                break
            if number + count > self._aim and self._end > high:
                return max(bound, high), number
            self._minutes.pop()
            number += count
            if number > self._aim:
                return low, number
        return bound, number
