"""Storing readings: take a block of the sequence, insert once, close the block."""

import asyncio
from collections import Counter
from collections.abc import Callable
from collections.abc import Sequence as Many

from monitoring_service.readings.metrics import DUPLICATES, STORED
from monitoring_service.store.client import Document, Store, StoreError
from monitoring_service.store.sequence import Block, Sequence
from monitoring_service.store.writing import Outcome, StoreAway, insert_once

MAX_DOCUMENTS = 2000
"""Documents in one insert: a fraction of a second of the store's time."""
START_SECONDS = 3.0
"""An insert starts at most so long after its block was taken; with the write time-out that is less than the
lease of the block."""

Listener = Callable[[Many[Document]], None]
"""Told of documents that are in the store, those of an earlier delivery included."""


class Ingest:
    """Stores documents of readings and tells its listeners."""

    def __init__(self, store: Store, sequence: Sequence, listeners: Many[Listener] = ()) -> None:
        self._store, self._sequence, self._listeners = store, sequence, tuple(listeners)
        self._last, self._open = 0, set[int]()
        self.busy = 0
        """Blocks in hand, or about to be."""

    @property
    def done_until(self) -> int:
        """Every block of this process up to this number is stored and told to the listeners."""
        return min(self._last, min(self._open, default=self._last + 1) - 1)

    async def put(self, documents: list[Document]) -> Outcome:
        """Store at most MAX_DOCUMENTS documents; raises StoreAway, and then they may be put again."""
        self.busy += 1
        try:
            return await self._put(documents)
        except StoreError as error:
            raise StoreAway(type(error).__name__) from error
        finally:
            self.busy -= 1

    async def _put(self, documents: list[Document]) -> Outcome:
        deadline = asyncio.get_running_loop().time() + START_SECONDS
        counts = Counter(document["organization_id"] for document in documents)
        block = await self._sequence.begin(len(documents), counts)
        self._open.add(block.start)
        try:
            outcome = await self._store_block(documents, block, counts, deadline)
            self._tell(documents, outcome)
            self._last = max(self._last, block.end)
        finally:
            self._open.discard(block.start)
        return outcome

    def _tell(self, documents: list[Document], outcome: Outcome) -> None:
        refused = {id(document) for document, _ in outcome.refused}
        stored = [document for document in documents if id(document) not in refused]
        for listener in self._listeners:
            listener(stored)
        STORED.inc(outcome.stored)
        DUPLICATES.inc(len(outcome.duplicates))

    async def _store_block(
        self, documents: list[Document], block: Block, counts: Counter[str], deadline: float
    ) -> Outcome:
        for number, document in enumerate(documents, block.start):
            document["seq"] = number
        outcome = await insert_once(self._store.readings, documents, deadline=deadline)
        for document in outcome.duplicates:
            counts[document["organization_id"]] -= 1
        for document, _ in outcome.refused:
            counts[document["organization_id"]] -= 1
        await self._sequence.close(block, counts)
        return outcome
