"""Reading the store in the order of the live feed."""

from collections.abc import AsyncIterator, Sequence
from heapq import merge

from monitoring_service.live.models import event_item, reading_item
from monitoring_service.readings.queries import PAGE, StoredReadings
from monitoring_service.store.client import Document, Store
from monitoring_service.store.counts import FEW
from monitoring_service.store.reads import PlainReads, Reads
from monitoring_service.store.scans import read_stored
from monitoring_service.store.sequence import Snapshot
from monitoring_service.store.windows import Windows

_MINUTES_SEQ, _HOURS_SEQ = 10 * 60 * 1_000_000, 6 * 3600 * 1_000_000


class FeedRepository:
    """Readings and events of organisations, in one order; `reads`: of a client that catches up alone."""

    def __init__(self, store: Store, reads: Reads | None = None) -> None:
        self._reads: Reads = reads or PlainReads()
        self._readings, self._events = StoredReadings(store, self._reads), store.events

    def after(
        self, organizations: Sequence[str], seq: int, snapshot: Snapshot
    ) -> AsyncIterator[list[Document]]:
        """All stored after `seq` that the snapshot has for good, in order, in pages; each with its `item`."""
        readings = self._pages(organizations, seq, snapshot)
        return _merged(readings, self._event_pages(organizations, seq, snapshot.stable))

    async def _pages(
        self, organizations: Sequence[str], seq: int, snapshot: Snapshot
    ) -> AsyncIterator[list[Document]]:
        async for page in self._readings.after(organizations, seq, snapshot):
            for document in page:
                document["item"] = reading_item(document)
            yield page

    async def _event_pages(
        self, organizations: Sequence[str], seq: int, until: int
    ) -> AsyncIterator[list[Document]]:
        names = frozenset(organizations)
        # There are few events, and an index of all of them.
        asked = [None] if len(names) > FEW else organizations
        walk = Windows(seq + 1, until + 1, _MINUTES_SEQ, _HOURS_SEQ, PAGE)
        while (piece := walk.next()) is not None:
            events, (_, end) = await read_stored(self._reads, self._events, asked, *piece)
            walk.found(len(events))
            walk.return_to(end)
            mine = [event for event in events if event["organization_id"] in names]
            for document in mine:
                document["item"] = event_item(document)
            if mine:
                yield mine


async def _merged(*streams: AsyncIterator[list[Document]]) -> AsyncIterator[list[Document]]:
    """Streams of pages as one in the order of storing; no more than a page of each is held."""
    held: list[list[Document]] = [[] for _ in streams]
    while True:
        for number, stream in enumerate(streams):
            if not held[number]:
                held[number] = await anext(stream, [])
        pages = [page for page in held if page]
        if not pages:
            return
        border = min(page[-1]["seq"] for page in pages)
        due = [[document for document in page if document["seq"] <= border] for page in held]
        held = [page[len(part) :] for page, part in zip(held, due, strict=True)]
        yield list(merge(*due, key=_seq))


def _seq(document: Document) -> int:
    return int(document["seq"])
