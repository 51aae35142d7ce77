"""A figure beside its baseline, in alternating rounds: a machine is not equally fast at all times."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass

from bench.access import Row

ROUNDS = 3


@dataclass(frozen=True)
class Compared:
    """Medians of what was measured, and of the ratios of the rounds."""

    own: float
    raw: float
    ratio: float

    def row(self, name: str, unit: str, goal: float) -> Row:
        """The row of the table; `goal` is of the ratio."""
        figure, limit = f"{self.own:,.0f} {unit}", f"{self.raw:,.0f} {unit}"
        return Row(name, figure, limit, f"{self.ratio:.2f}", f"ratio {goal}", self.ratio >= goal)


def compare(own: Callable[[], float], raw: Callable[[], float]) -> Compared:
    """Measure the baseline and the platform ROUNDS times, one after the other."""
    pairs = [(raw(), own()) for _ in range(ROUNDS)]
    ratios = [ours / bare for bare, ours in pairs]
    return Compared(
        statistics.median(ours for _, ours in pairs),
        statistics.median(bare for bare, _ in pairs),
        statistics.median(ratios),
    )
