from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from prometheus_client import Counter

from fleet_kit.scope import Scope
from monitoring_service.latest.models import Position, replace_if_newer
from monitoring_service.store.client import Document, Store
from monitoring_service.store.inserts import update_each
from monitoring_service.store.reads import PIECE, PlainReads, Reads
from monitoring_service.store.scans import RangeScan
from monitoring_service.store.slots import SLOT, SLOTS, slot_windows
from monitoring_service.store.windows import Windows, whole

log = structlog.get_logger(__name__)
REFUSED = Counter("monitoring_latest_refused_total", "Newest readings that the store refused")
_NAMED = 50
"""Devices asked for by name in one query: its cost is the square of its length."""


@dataclass(frozen=True, slots=True)
class LatestSlice:
    """Readings, and behind which position a further request goes on if this one ended early."""

    rows: list[Document]
    rest: Position | None = None


class LatestRepository:
    """The newest reading of each device in one scope."""

    def __init__(self, store: Store, scope: Scope, reads: Reads | None = None) -> None:
        self._collection, self._scope, self._reads = store.latest, scope, reads or PlainReads()

    async def apply(self, readings: Iterable[tuple[Document, datetime]]) -> None:
        """Take over those that are newer; each with the earliest time of measuring of its device."""
        changes = [replace_if_newer(reading, oldest) for reading, oldest in readings]
        for reason in await update_each(self._collection, changes):
            REFUSED.inc()
            log.error("the store refuses a device's newest reading", reason=reason)

    async def delete(self, devices: Sequence[str]) -> None:
        """Delete what a few devices, which are gone, sent last."""
        await self._collection.delete_many({"_id": {"$in": list(devices)}})

    async def named(self, devices: Iterable[str]) -> list[Document]:
        """Those of some devices, in the order of lists."""
        wanted, rows = sorted(set(devices)), list[Document]()
        for start in range(0, len(wanted), _NAMED):
            query = {"_id": {"$in": wanted[start : start + _NAMED]}}
            rows += await self._reads.rows(self._collection.find(query), _NAMED)
        return sorted((row for row in rows if self._covers(row)), key=position)

    async def page(self, after: Position | None, limit: int) -> LatestSlice:
        """The first `limit` in their order, behind that position."""
        scan = self._scan(slot_windows(after[0] if after else 0, min(limit, PIECE)))
        rows: list[Document] = []
        while len(rows) < limit and (page := await scan.next()) is not None:
            rows += [row for row in page if after is None or position(row) > after]
            slot, device, _ = scan.position
            if len(rows) < limit and self._reads.exhausted and slot < SLOTS:
                return LatestSlice(rows, (slot, device))
        return LatestSlice(rows[:limit])

    async def newest(self, device_id: str) -> Document | None:
        """The newest reading of one device, None if it has none."""
        rows = await self._reads.rows(self._collection.find({"_id": device_id}), 1)
        return rows[0] if rows and self._covers(rows[0]) else None

    async def heard(self, low: int, high: int, since: datetime) -> set[str]:
        """Devices of the slots [low, high) whose newest reading arrived after that moment."""
        scan, found = self._scan(whole(low, high), {"received_at": 1, "slot": 1}), set[str]()
        while (page := await scan.next()) is not None:
            found |= {row["_id"] for row in page if row["received_at"] > since}
        return found

    def _scan(self, windows: Windows, fields: Document | None = None) -> RangeScan:
        mine: Document = {}
        if self._scope.organization_id is not None:
            mine["organization_id"] = str(self._scope.organization_id)

        def find(slots: Any) -> Any:
            return self._collection.find(mine | {"slot": slots}, fields)

        return RangeScan(self._reads, find, SLOT, windows)

    def _covers(self, row: Document) -> bool:
        return self._scope.covers(UUID(row["organization_id"]))


def position(row: Document) -> Position:
    """Where it stands in lists."""
    return row["slot"], row["_id"]
