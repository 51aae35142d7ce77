"""Queries on readings."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from bson.int64 import Int64

from monitoring_service.store.client import Document, Store
from monitoring_service.store.windows import Windows

PAGE = 2000
_MINUTE_MS, _DAY_MS = 60_000, 86_400_000
_SECOND_SEQ, _HOUR_SEQ = 1_000_000, 3_600_000_000


@dataclass(frozen=True, slots=True)
class Range:
    """Half-open range of time of measuring, in epoch milliseconds."""

    start: int
    end: int


class ReadingRepository:
    """Readings by device and time, or by organisation and order of storing.

    Who may see a device has been decided before its id comes here.
    """

    def __init__(self, store: Store) -> None:
        self._readings = store.readings

    async def of_device(
        self,
        device_id: str,
        span: Range,
        *,
        metrics: Sequence[str],
        backwards: bool,
        limit: int,
        past: tuple[int, str] | None = None,
    ) -> list[Document]:
        """The first `limit` readings of the span in the order asked for, or those past a (time, `_id`)."""
        windows = Windows(span.start, span.end, 10 * _MINUTE_MS, 30 * _DAY_MS, limit, backwards)
        direction = -1 if backwards else 1
        found: list[Document] = []
        while len(found) < limit and (piece := windows.next()) is not None:
            query: Document = {"device_id": device_id, "ts": _between(*piece)}
            conditions = [one for one in (_past(past, backwards=backwards), _has(metrics)) if one]
            if conditions:
                query["$and"] = conditions
            cursor = self._readings.find(query).sort([("ts", direction), ("_id", direction)])
            page = await cursor.limit(limit - len(found)).to_list(limit)
            windows.found(len(page))
            found += page
        return found

    async def of_organizations(
        self,
        organizations: Sequence[str],
        low: int,
        high: int,
        *,
        span: Range,
        metrics: Sequence[str],
        limit: int,
    ) -> list[Document]:
        """The last `limit` readings stored in [low, high) of the sequence, newest first."""
        windows = Windows(low, high, 60 * _SECOND_SEQ, 24 * _HOUR_SEQ, limit, backwards=True)
        found: list[Document] = []
        while len(found) < limit and (piece := windows.next()) is not None:
            query = {
                "organization_id": _one_of(organizations),
                "seq": {"$gte": Int64(piece[0]), "$lt": Int64(piece[1])},
                "ts": _between(span.start, span.end),
                **_has(metrics),
            }
            page = await self._readings.find(query).sort("seq", -1).limit(limit - len(found)).to_list(limit)
            windows.found(len(page))
            found += page
        return found

    async def after(
        self, organizations: Sequence[str], seq: int, until: int
    ) -> AsyncIterator[list[Document]]:
        """Readings of organisations stored after `seq` up to `until`, in order, in pages."""
        windows = Windows(seq + 1, until + 1, _SECOND_SEQ, 24 * _HOUR_SEQ, PAGE)
        while (piece := windows.next()) is not None:
            span = {"$gte": Int64(piece[0]), "$lt": Int64(piece[1])}
            query = {"organization_id": _one_of(organizations), "seq": span}
            page = await self._readings.find(query).sort("seq", 1).to_list(None)
            windows.found(len(page))
            if page:
                yield page

    async def aggregate(self, pipeline: list[Document]) -> list[Document]:
        """What a pipeline answers."""
        return await self._readings.aggregate(pipeline).to_list(None)

    async def delete_span(self, organization_id: str, low: int, high: int) -> int:
        """Delete what was stored in [low, high) of the sequence."""
        span = {"$gte": Int64(low), "$lt": Int64(high)}
        result = await self._readings.delete_many({"organization_id": organization_id, "seq": span})
        return int(result.deleted_count)


def _between(low: int, high: int) -> dict[str, datetime]:
    return {"$gte": moment(low), "$lt": moment(high)}


def moment(milliseconds: int) -> datetime:
    """Epoch milliseconds as a moment in UTC."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)


def _past(position: tuple[int, str] | None, *, backwards: bool) -> dict[str, Any]:
    if position is None:
        return {}
    then, key = moment(position[0]), position[1]
    side = "$lt" if backwards else "$gt"
    return {"$or": [{"ts": {side: then}}, {"ts": then, "_id": {side: key}}]}


def _has(metrics: Sequence[str]) -> dict[str, Any]:
    if not metrics:
        return {}
    return {"$or": [{f"metrics.{name}": {"$exists": True}} for name in metrics]}


def _one_of(organizations: Sequence[str]) -> Any:
    return organizations[0] if len(organizations) == 1 else {"$in": list(organizations)}
