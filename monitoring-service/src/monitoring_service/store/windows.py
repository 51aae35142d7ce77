"""Reading a long range in pieces whose width follows what they hold.

A query may stop early only where the store can walk an index in order and stop; not every server does
(SecantusDB materialises the whole index range before it applies the limit, 30 µs a document). So ranges are
read in windows small enough to hold about a page each.
"""

from dataclasses import dataclass

_GROW = 4
_SHRINK = 0.25


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
