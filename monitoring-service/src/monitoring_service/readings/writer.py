"""Storing readings: take a block of the sequence, insert once, close the block."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence

from monitoring_service.readings.metrics import DUPLICATES, STORED
from monitoring_service.store.client import Document, Store, StoreError
from monitoring_service.store.inserts import InsertResult, StoreUnavailable, insert_once
from monitoring_service.store.sequence import MAX_START_DELAY_SECONDS, Block, StorageSequence

MAX_DOCUMENTS = 2000
"""Documents in one insert: a fraction of a second of the store's time."""

Listener = Callable[[Sequence[Document]], None]
"""Called with documents that are in the store, those of an earlier delivery included."""


class ReadingWriter:
    """Stores documents of readings and notifies its listeners."""

    def __init__(self, store: Store, sequence: StorageSequence, listeners: Sequence[Listener] = ()) -> None:
        self._store, self._sequence, self._listeners = store, sequence, tuple(listeners)
        self._last, self._open = 0, set[int]()
        self.busy = 0
        """Blocks in hand, or about to be."""

    @property
    def done_until(self) -> int:
        """Every block of this process up to this number is stored, and its listeners are notified."""
        return min(self._last, min(self._open, default=self._last + 1) - 1)

    async def put(self, documents: list[Document]) -> InsertResult:
        """Store at most MAX_DOCUMENTS documents; raises StoreUnavailable, and then they may be put again."""
        self.busy += 1
        try:
            return await self._put(documents)
        except StoreError as error:
            raise StoreUnavailable(type(error).__name__) from error
        finally:
            self.busy -= 1

    async def _put(self, documents: list[Document]) -> InsertResult:
        deadline = asyncio.get_running_loop().time() + MAX_START_DELAY_SECONDS
        counts = Counter(document["organization_id"] for document in documents)
        block = await self._sequence.begin(len(documents), counts)
        self._open.add(block.start)
        try:
            result = await self._store_block(documents, block, counts, deadline)
            self._notify(documents, result)
            self._last = max(self._last, block.end)
        finally:
            self._open.discard(block.start)
        return result

    def _notify(self, documents: list[Document], result: InsertResult) -> None:
        refused = {id(document) for document, _ in result.refused}
        stored = [document for document in documents if id(document) not in refused]
        for listener in self._listeners:
            listener(stored)
        STORED.inc(result.stored)
        DUPLICATES.inc(len(result.duplicates))

    async def _store_block(
        self, documents: list[Document], block: Block, counts: Counter[str], deadline: float
    ) -> InsertResult:
        for number, document in enumerate(documents, block.start):
            document["seq"] = number
        result = await insert_once(self._store.readings, documents, deadline=deadline)
        for document in result.duplicates:
            counts[document["organization_id"]] -= 1
        for document, _ in result.refused:
            counts[document["organization_id"]] -= 1
        await self._sequence.close(block, counts)
        return result
