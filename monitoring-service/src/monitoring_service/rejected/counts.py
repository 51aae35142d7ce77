"""How many messages were rejected, per organisation and minute of arrival: how densely a list has to be read.

Counted before they are stored, so that a crash counts too many and never too few; what turns out to be stored
already is taken off again.
"""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pymongo import UpdateOne

from fleet_kit.scope import Scope
from monitoring_service.store.client import Document, Store
from monitoring_service.store.reads import MOST_ROWS, Reads
from monitoring_service.store.scans import Field, RangeScan
from monitoring_service.store.windows import Windows

Minute = tuple[str, int]
"""An organisation, and a minute since 1970."""
FIELDS: Document = {"organization_id": 1, "received_at": 1}
"""What `minute_of` needs of an entry."""
_HOUR = Field("hour")
_HOURS, _AHEAD = 24 * 366, 2
"""Hours read as one piece; how many of them may lie ahead, by the clock of another machine."""
_NOBODY = ""
"""Stands for the organisation of messages that belong to none."""


class RejectedCounts:
    """Counts by hour, with a figure for each minute."""

    def __init__(self, store: Store) -> None:
        self._hours = store.rejected_hourly

    async def add(self, documents: Sequence[Document], sign: int = 1) -> None:
        """Count these entries, or take them off again with -1; raises StoreError."""
        counts = Counter(minute_of(document) for document in documents)
        await self._write("$inc", {minute: sign * number for minute, number in counts.items()})

    async def at_least(self, counts: Mapping[Minute, int]) -> None:
        """Raise figures that are lower than these; raises StoreError."""
        await self._write("$max", counts)

    async def _write(self, operator: str, counts: Mapping[Minute, int]) -> None:
        changes = [_change(minute, {operator: number}) for minute, number in counts.items()]
        if changes:
            await self._hours.bulk_write(changes, ordered=False)

    async def minutes(self, scope: Scope, low: int, high: int, reads: Reads) -> dict[int, int]:
        """Entries by minute since 1970, in the hours from `low` to before `high`.

        Of all organisations together some may be left out: it is a guess of how much there is.
        """
        found: dict[int, int] = {}
        query = self._hours.find(_within(scope, {"$gte": low, "$lt": high}))
        for row in await reads.rows(query, MOST_ROWS):
            for offset, number in row["minutes"].items():
                minute = int(row["hour"]) * 60 + int(offset)
                found[minute] = found.get(minute, 0) + int(number)
        return found

    async def total(self, scope: Scope, oldest: int, reads: Reads) -> int:
        """Entries since that hour, or a few more; see above."""

        def find(hours: Any) -> Any:
            return self._hours.find(_within(scope, hours), {"minutes": 1, "hour": 1})

        hours = Windows(oldest, int(time.time()) // 3600 + _AHEAD, _HOURS, _HOURS, MOST_ROWS)
        scan, total = RangeScan(reads, find, _HOUR, hours), 0
        while (page := await scan.next()) is not None:
            total += sum(sum(row["minutes"].values()) for row in page)
        return total


def minute_of(document: Document) -> Minute:
    """Where an entry is counted."""
    return document["organization_id"] or _NOBODY, int(document["received_at"].timestamp()) // 60


def _change(counted: Minute, figure: Mapping[str, int]) -> UpdateOne:
    owner, (hour, offset) = counted[0], divmod(counted[1], 60)
    at = datetime.fromtimestamp(hour * 3600, UTC)
    change: Document = {"$set": {"organization_id": owner, "hour": hour, "at": at}}
    change |= {operator: {f"minutes.{offset}": number} for operator, number in figure.items()}
    return UpdateOne({"_id": f"{owner}:{hour}"}, change, upsert=True)


def _within(scope: Scope, hours: Document) -> Document:
    organization = scope.organization_id
    return {"hour": hours} if organization is None else {"organization_id": str(organization), "hour": hours}
