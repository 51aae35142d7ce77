"""Storing readings: take a block of the sequence, insert once, close the block."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta

from fleet_contracts.telemetry import MAX_AGE, format_ts
from monitoring_service.readings.metrics import DUPLICATES, STORED
from monitoring_service.store.client import Document, Store, StoreError
from monitoring_service.store.inserts import InsertResult, Refusal, StoreUnavailable, insert_once
from monitoring_service.store.sequence import MAX_START_DELAY_SECONDS, Block, StorageSequence

MAX_VALUES = 5_000
"""Values in one insert, see `values_of`: others wait for that fraction of a second of the store's time."""
_VALUES_OF_A_DOCUMENT = 9
"""Metrics that cost the store as much as a document without any."""

READ_TOGETHER = 50
"""Duplicates read in one query: its cost is the square of its length."""

Listener = Callable[[Sequence[Document]], None]
"""Called with documents as they are in the store, those of an earlier delivery included."""


def values_of(document: Document) -> int:
    """What storing the document costs, in metrics."""
    return _VALUES_OF_A_DOCUMENT + len(document["metrics"])


class ReadingWriter:
    """Stores documents of readings and notifies its listeners."""

    def __init__(
        self,
        store: Store,
        sequence: StorageSequence,
        listeners: Sequence[Listener] = (),
        *,
        on_arrival: Sequence[Listener] = (),
        kept: timedelta = MAX_AGE,
    ) -> None:
        """`on_arrival`: called with what arrived, also where another reading with its id was stored before.

        `kept`: how long readings are; one that was measured before, no query would show.
        """
        self._store, self._sequence, self._kept = store, sequence, kept
        self._listeners, self._on_arrival = tuple(listeners), tuple(on_arrival)
        self._last, self._open = 0, set[int]()
        self.busy = 0
        """Blocks in hand, or about to be."""

    @property
    def done_until(self) -> int:
        """Every block of this process up to this number is stored, and its listeners are notified."""
        return min(self._last, min(self._open, default=self._last + 1) - 1)

    async def put(self, documents: list[Document]) -> InsertResult:
        """Store documents of at most MAX_VALUES; raises StoreUnavailable, and then they may be put again."""
        recent = [document for document in documents if not self._is_too_old(document)]
        self.busy += 1
        try:
            result = await self._put(recent) if recent else InsertResult()
        except StoreError as error:
            raise StoreUnavailable(type(error).__name__) from error
        finally:
            self.busy -= 1
        result.refused += [
            (document, self._too_old(document)) for document in documents if self._is_too_old(document)
        ]
        return result

    def _is_too_old(self, document: Document) -> bool:
        return bool(document["ts"] < document["received_at"] - self._kept)

    def _too_old(self, document: Document) -> Refusal:
        reason = f"measured {format_ts(document['ts'])}, readings are kept for {self._kept.days} days"
        return Refusal(reason, "TS_OUT_OF_RANGE", "ts")

    async def _put(self, documents: list[Document]) -> InsertResult:
        deadline = asyncio.get_running_loop().time() + MAX_START_DELAY_SECONDS
        counts = Counter(document["organization_id"] for document in documents)
        block = await self._sequence.begin(len(documents), counts)
        self._open.add(block.start)
        try:
            result = await self._store_block(documents, block, counts, deadline)
            await self._notify(documents, result)
            self._last = max(self._last, block.end)
        finally:
            self._open.discard(block.start)
        return result

    async def _notify(self, documents: list[Document], result: InsertResult) -> None:
        refused = {id(document) for document, _ in result.refused}
        arrived = [document for document in documents if id(document) not in refused]
        stored = await self._as_stored(arrived, result.duplicates)
        for listeners, told in ((self._listeners, stored), (self._on_arrival, arrived)):
            for listener in listeners:
                listener(told)
        STORED.inc(result.stored)
        DUPLICATES.inc(len(arrived) - result.stored)

    async def _as_stored(self, arrived: list[Document], duplicates: list[Document]) -> list[Document]:
        """What the store has for them: of readings with the same id it keeps the first."""
        repeated = {document["_id"] for document in duplicates}
        stored, asked = [one for one in arrived if one["_id"] not in repeated], sorted(repeated)
        for start in range(0, len(asked), READ_TOGETHER):
            query = {"_id": {"$in": asked[start : start + READ_TOGETHER]}}
            stored += await self._store.readings.find(query).to_list(READ_TOGETHER)
        return stored

    async def _store_block(
        self, documents: list[Document], block: Block, counts: Counter[str], deadline: float
    ) -> InsertResult:
        for number, document in enumerate(documents, block.start):
            document["seq"] = number
        result = await insert_once(self._store.readings, documents, deadline=deadline)
        for document, _ in result.refused:
            counts[document["organization_id"]] -= 1
        if result.duplicates:
            # They may be duplicates of themselves: the driver sends again what was not answered.
            owners = {document["organization_id"] for document in result.duplicates}
            doubtful = Block(block.start, block.end, tuple(owners))
            for name, number in (await self._sequence.stored(doubtful)).items():
                counts[name] = number
            result.stored = counts.total()
        await self._sequence.close(block, counts)
        return result
