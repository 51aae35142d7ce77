"""Downsampling: readings of a device as one figure per metric and interval.

Added up here and not by the store: it is shared by everybody, and only reading costs it the least.
"""

import math
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from fleet_kit.errors import invalid
from monitoring_service.readings.models import from_milliseconds, milliseconds
from monitoring_service.store.client import Document

Aggregate = Literal["avg", "min", "max", "sum", "count"]
_INTERVAL = re.compile(r"^([1-9][0-9]{0,5})(s|m|h|d)\Z")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_LONGEST = timedelta(days=366)
_LARGEST = sys.float_info.max
_SCALE = 2.0**-60
"""By which figures are made small, so that their sum is a number whatever they are."""


def interval_seconds(text: str) -> int:
    """Seconds of `30s`, `5m`, `1h`, `1d`; raises 422 naming `interval`."""
    found = _INTERVAL.match(text)
    seconds = int(found[1]) * _UNITS[found[2]] if found else 0
    if not 0 < seconds <= _LONGEST.total_seconds():
        raise invalid("interval", "must be a whole number and s, m, h or d, at most 366d; such as 5m")
    return seconds


def fields(metrics: Sequence[str]) -> Document:
    """The projection of a reading to what is aggregated: the time, and the metrics asked for."""
    shown: Document = {f"metrics.{name}": 1 for name in metrics} or {"metrics": 1}
    return {"ts": 1} | shown


@dataclass(slots=True)
class _Aggregates:
    count: int = 0
    sum: float = 0
    scaled: float = 0
    min: float = float("inf")
    max: float = float("-inf")

    def add(self, value: float) -> None:
        self.count += 1
        self.sum += value
        self.scaled += value * _SCALE
        self.min = min(self.min, value)
        self.max = max(self.max, value)

    def value(self, agg: Aggregate) -> float:
        if agg == "avg":
            return self.sum / self.count if math.isfinite(self.sum) else self.scaled / self.count / _SCALE
        figures = {"count": self.count, "sum": self._total(), "min": self.min, "max": self.max}
        return figures[agg]

    def _total(self) -> float:
        """The sum; the largest number there is where it is larger, for JSON knows no infinity."""
        if math.isfinite(self.sum):
            return self.sum
        return max(-_LARGEST, min(_LARGEST, self.scaled / _SCALE))


@dataclass(slots=True)
class _Bucket:
    count: int = 0
    figures: dict[str, _Aggregates] = field(default_factory=dict)


@dataclass(slots=True)
class Buckets:
    """Intervals of `step` milliseconds of a device as they fill up. `size` is how many figures they hold."""

    agg: Aggregate
    metrics: Sequence[str]
    step: int
    size: int = 0
    _filled: int = 0
    _buckets: dict[int, _Bucket] = field(default_factory=dict)

    def add(self, readings: Iterable[Document]) -> None:
        """Take in readings."""
        for reading in readings:
            moment = milliseconds(reading["ts"])
            bucket = self._buckets.setdefault(moment - moment % self.step, _Bucket())
            bucket.count += 1
            figures = bucket.figures
            self._filled += not figures and bool(reading.get("metrics"))
            for name, value in reading.get("metrics", {}).items():
                figure = figures.get(name)
                if figure is None:
                    figure = figures[name] = _Aggregates()
                    self.size += 1
                figure.add(value)

    def holds(self, number: int) -> bool:
        """Whether there are so many intervals to show that are over; readings come in the order of time."""
        return (self._filled if self.metrics else len(self._buckets)) > number

    def rows(self, before: int) -> list[Document]:
        """Intervals that start before that time, oldest first; only those with a metric asked for."""
        rows = [self._row(start) for start in sorted(self._buckets) if start < before]
        return [row for row in rows if row["metrics"]] if self.metrics else rows

    def _row(self, start: int) -> Document:
        bucket = self._buckets[start]
        shown = self.metrics or bucket.figures
        return {
            "ts": from_milliseconds(start),
            "metrics": {
                name: bucket.figures[name].value(self.agg) for name in shown if name in bucket.figures
            },
            "count": bucket.count,
        }
