"""Downsampling: readings of a device as one figure per metric and interval."""

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Literal

from fleet_kit.errors import invalid
from monitoring_service.readings.repository import Range, moment
from monitoring_service.store.client import Document

Aggregate = Literal["avg", "min", "max", "sum", "count"]
_INTERVAL = re.compile(r"^([1-9][0-9]{0,5})(s|m|h|d)$")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_LONGEST = timedelta(days=366)


def interval_seconds(text: str) -> int:
    """Seconds of `30s`, `5m`, `1h`, `1d`; raises 422 naming `interval`."""
    found = _INTERVAL.match(text)
    seconds = int(found[1]) * _UNITS[found[2]] if found else 0
    if not 0 < seconds <= _LONGEST.total_seconds():
        raise invalid("interval", "must be a whole number and s, m, h or d, at most 366d; such as 5m")
    return seconds


def pipelines(
    device_id: str, span: Range, seconds: int, agg: Aggregate, metrics: Sequence[str]
) -> tuple[list[Document], list[Document]]:
    """One pipeline for the number of readings in each interval, one for its figures by metric."""
    match = {"$match": {"device_id": device_id, "ts": {"$gte": moment(span.start), "$lt": moment(span.end)}}}
    start = {"$dateTrunc": {"date": "$ts", "unit": "second", "binSize": seconds}}
    counts: list[Document] = [match, {"$group": {"_id": start, "count": {"$sum": 1}}}, {"$sort": {"_id": 1}}]
    figure: Document = {"$sum": 1} if agg == "count" else {f"${agg}": "$metric.v"}
    figures: list[Document] = [
        match,
        {"$project": {"ts": 1, "metric": {"$objectToArray": "$metrics"}}},
        {"$unwind": "$metric"},
    ]
    if metrics:
        figures.append({"$match": {"metric.k": {"$in": list(metrics)}}})
    figures.append({"$group": {"_id": {"start": start, "name": "$metric.k"}, "value": figure}})
    return counts, figures


def combine(counts: list[Document], figures: list[Document], metrics: Sequence[str]) -> list[Document]:
    """Intervals in order, each with its figures; where metrics were asked for, only those that have some."""
    by_start: dict[object, Document] = {}
    for row in figures:
        by_start.setdefault(row["_id"]["start"], {})[row["_id"]["name"]] = row["value"]
    rows = [
        {"ts": row["_id"], "metrics": by_start.get(row["_id"], {}), "count": row["count"]} for row in counts
    ]
    return [row for row in rows if row["metrics"]] if metrics else rows
