"""Reading a range of a collection with no more than a bounded number of documents in memory.

What a range holds is up to its sender: a hundred thousand readings may share one millisecond. So every read
says how many documents it takes, and goes on in the next one where it was cut off.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from bson.int64 import Int64

from monitoring_service.store.client import Collection, Document
from monitoring_service.store.reads import MOST_ROWS, Reads
from monitoring_service.store.windows import Walk

LAST_ID = "~"
"""After every `_id`, which begins with a hexadecimal digit."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Position = tuple[int, str, int]
"""Where to go on: a value of the field, the last `_id` read at it, and how many were read at it at least."""


@dataclass(frozen=True, slots=True)
class Field:
    """The field that a scan follows: a whole number, or a moment in epoch milliseconds."""

    name: str
    is_moment: bool = False

    def stored(self, value: int) -> Any:
        """As it is in a query."""
        return _EPOCH + timedelta(milliseconds=value) if self.is_moment else Int64(value)

    def of(self, row: Document) -> int:
        """The value of a document."""
        value = row[self.name]
        return (value - _EPOCH) // timedelta(milliseconds=1) if self.is_moment else int(value)

    def position(self, row: Document) -> Position:
        """Where to go on behind a document that a scan has answered with."""
        return self.of(row), row["_id"], row["nth"]


class RangeScan:
    """Reads the pieces of a walk in the order of a field and then of `_id`.

    `find` makes the query from the condition on the field. `since` is a position to go on from, where the
    walk has to begin. Each document gets its `nth`: how many have its value up to it, itself included.
    """

    def __init__(
        self,
        reads: Reads,
        find: Callable[[Any], Any],
        field: Field,
        walk: Walk,
        *,
        backwards: bool = False,
        since: Position | None = None,
    ) -> None:
        self._reads, self._find, self._field, self._walk = reads, find, field, walk
        self._backwards = backwards
        self._at, self._last_id, self._nth = since or (-1, "", 0)
        self._skip = self._nth

    @property
    def position(self) -> Position:
        """Where to go on: everything before this value has been read."""
        return self._at, self._last_id, self._skip

    async def next(self, most: int = MOST_ROWS) -> list[Document] | None:
        """At most so many further documents, which may be none; None at the end. Raises what `reads` does."""
        piece = self._walk.next()
        if piece is None:
            return None
        rows = await self._reads.rows(self._query(*piece), most)
        self._walk.found(len(rows))
        fresh = [row for row in rows if self._is_fresh(row)]
        if len(rows) < most:
            self._at, self._last_id = (piece[0] - 1, LAST_ID) if self._backwards else (piece[1], "")
            self._nth = self._skip = 0
        else:
            self._skip = self._nth
            self._walk.return_to(self._at + 1 if self._backwards else self._at)
        return fresh

    def _query(self, low: int, high: int) -> Any:
        condition = self._field.stored(low)
        if high - low > 1:
            condition = {"$gte": condition, "$lt": self._field.stored(high)}
        direction = -1 if self._backwards else 1
        found = self._find(condition).sort([(self._field.name, direction), ("_id", direction)])
        return found.skip(self._skip) if self._skip else found

    def _is_fresh(self, row: Document) -> bool:
        """Number the document; False where it was read before, for others have been stored before it."""
        value, key = self._field.of(row), row["_id"]
        if value != self._at:
            self._at, self._last_id, self._nth = value, LAST_ID if self._backwards else "", 0
        self._nth += 1
        row["nth"] = self._nth
        if not (key < self._last_id if self._backwards else key > self._last_id):
            return False
        self._last_id = key
        return True


async def read_stored(
    reads: Reads,
    collection: Collection,
    organizations: Sequence[str | None],
    low: int,
    high: int,
    *,
    backwards: bool = False,
) -> tuple[list[Document], tuple[int, int]]:
    """Documents of organisations in the order of storing, and for which part of [low, high) that is all.

    That part is shorter where it holds more than MOST_ROWS; each organisation is a query of its own. None:
    everybody, for which the collection needs an index of `seq` alone.
    """
    rows: list[Document] = []
    for organization in organizations:
        mine = {} if organization is None else {"organization_id": organization}
        query = mine | {"seq": {"$gte": Int64(low), "$lt": Int64(high)}}
        most = max(1, MOST_ROWS - len(rows))
        found = await reads.rows(collection.find(query).sort("seq", -1 if backwards else 1), most)
        rows += found
        if len(found) == most:
            last = int(found[-1]["seq"])
            low, high = (last, high) if backwards else (low, last + 1)
            rows = [row for row in rows if low <= row["seq"] < high]
    return sorted(rows, key=lambda row: int(row["seq"]), reverse=backwards), (low, high)
