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
        self.done_until = 0
        """Every block of this process up to this number is stored and told to the listeners."""
        self.busy = 0
        """Blocks in hand."""

    async def put(self, documents: list[Document]) -> Outcome:
        """Store at most MAX_DOCUMENTS documents; raises StoreAway, and then they may be put again."""
        self.busy += 1
        try:
            block, outcome = await self._put(documents)
        except StoreError as error:
            raise StoreAway(type(error).__name__) from error
        finally:
            self.busy -= 1
        refused = {id(document) for document, _ in outcome.refused}
        stored = [document for document in documents if id(document) not in refused]
        for listener in self._listeners:
            listener(stored)
        self.done_until = max(self.done_until, block.end)
        STORED.inc(outcome.stored)
        DUPLICATES.inc(len(outcome.duplicates))
        return outcome

    async def _put(self, documents: list[Document]) -> tuple[Block, Outcome]:
        deadline = asyncio.get_running_loop().time() + START_SECONDS
        counts = Counter(document["organization_id"] for document in documents)
        block = await self._sequence.begin(len(documents), counts)
        for number, document in enumerate(documents, block.start):
            document["seq"] = number
        outcome = await insert_once(self._store.readings, documents, deadline=deadline)
        for document in outcome.duplicates:
            counts[document["organization_id"]] -= 1
        for document, _ in outcome.refused:
            counts[document["organization_id"]] -= 1
        await self._sequence.close(block, counts)
        return block, outcome
