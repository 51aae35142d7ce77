"""Downsampling: readings of a device as one figure per metric and interval."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from fleet_kit.errors import invalid
from monitoring_service.readings.models import from_milliseconds
from monitoring_service.store.client import Document

Aggregate = Literal["avg", "min", "max", "sum", "count"]
_INTERVAL = re.compile(r"^([1-9][0-9]{0,5})(s|m|h|d)\Z")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_LONGEST = timedelta(days=366)
_ALL = ""
"""Stands beside the metrics of each reading, so that readings are counted in the same pass."""


def interval_seconds(text: str) -> int:
    """Seconds of `30s`, `5m`, `1h`, `1d`; raises 422 naming `interval`."""
    found = _INTERVAL.match(text)
    seconds = int(found[1]) * _UNITS[found[2]] if found else 0
    if not 0 < seconds <= _LONGEST.total_seconds():
        raise invalid("interval", "must be a whole number and s, m, h or d, at most 366d; such as 5m")
    return seconds


def pipeline(device_id: str, low: int, high: int, step: int) -> list[Document]:
    """Partial figures of [low, high) by interval and metric, in milliseconds; parts of an interval add up."""
    since_start: Document = {"$mod": [{"$toLong": "$ts"}, step]}
    names: Document = {"$concatArrays": [{"$objectToArray": "$metrics"}, [{"k": _ALL, "v": 0}]]}
    return [
        {
            "$match": {
                "device_id": device_id,
                "ts": {"$gte": from_milliseconds(low), "$lt": from_milliseconds(high)},
            }
        },
        {"$project": {"start": {"$subtract": [{"$toLong": "$ts"}, since_start]}, "metric": names}},
        {"$unwind": "$metric"},
        {
            "$group": {
                "_id": {"start": "$start", "name": "$metric.k"},
                "count": {"$sum": 1},
                "sum": {"$sum": "$metric.v"},
                "min": {"$min": "$metric.v"},
                "max": {"$max": "$metric.v"},
            }
        },
    ]


@dataclass(slots=True)
class _Aggregates:
    count: int = 0
    sum: float = 0
    min: float = float("inf")
    max: float = float("-inf")

    def add(self, part: Document) -> None:
        self.count += part["count"]
        self.sum += part["sum"]
        self.min, self.max = min(self.min, part["min"]), max(self.max, part["max"])

    def value(self, agg: Aggregate) -> float:
        figures = {"count": self.count, "sum": self.sum, "min": self.min, "max": self.max}
        return self.sum / self.count if agg == "avg" else figures[agg]


@dataclass(slots=True)
class Buckets:
    """Intervals of a device as they fill up, piece by piece and in order."""

    agg: Aggregate
    metrics: Sequence[str]
    _aggregates: dict[int, dict[str, _Aggregates]] = field(default_factory=dict)

    def add(self, parts: Iterable[Document]) -> int:
        """Take in partial figures; how many readings they come from."""
        readings = 0
        for part in parts:
            start, name = int(part["_id"]["start"]), part["_id"]["name"]
            if name == _ALL:
                readings += part["count"]
            self._aggregates.setdefault(start, {}).setdefault(name, _Aggregates()).add(part)
        return readings

    def rows(self, before: int) -> list[Document]:
        """Intervals that start before that time, oldest first; only those with a metric asked for."""
        rows = [self._row(start) for start in sorted(self._aggregates) if start < before]
        return [row for row in rows if row["metrics"]] if self.metrics else rows

    def _row(self, start: int) -> Document:
        figures = self._aggregates[start]
        shown = self.metrics or [name for name in figures if name != _ALL]
        return {
            "ts": from_milliseconds(start),
            "metrics": {name: figures[name].value(self.agg) for name in shown if name in figures},
            "count": figures[_ALL].count,
        }
