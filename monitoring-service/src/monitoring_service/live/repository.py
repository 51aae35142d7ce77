"""Reading the store in the order of the live feed."""

from collections.abc import AsyncIterator, Sequence
from heapq import merge

from bson.int64 import Int64

from monitoring_service.live.models import event_item, reading_item
from monitoring_service.readings.queries import PAGE, SHORT_RANGE, StoredReadings
from monitoring_service.store.client import Document, Store
from monitoring_service.store.windows import Windows

_MINUTES_SEQ, _HOURS_SEQ = 10 * 60 * 1_000_000, 6 * 3600 * 1_000_000


class FeedRepository:
    """Readings and events of organisations, in one order."""

    def __init__(self, store: Store) -> None:
        self._readings, self._events = StoredReadings(store), store.events

    async def after(
        self, organizations: Sequence[str], seq: int, until: int
    ) -> AsyncIterator[list[Document]]:
        """Everything stored after `seq` up to `until`, in order, in pages; each with its `item`."""
        if until - seq > SHORT_RANGE:
            async for page in self._far(organizations, seq, until):
                yield page
            return
        events = await self._events_of(organizations, seq + 1, until + 1)
        async for page in self._pages(organizations, seq, until):
            due = [event for event in events if event["seq"] <= page[-1]["seq"]]
            events = events[len(due) :]
            yield list(merge(page, due, key=_seq)) if due else page
        if events:
            yield events

    async def _far(self, organizations: Sequence[str], seq: int, until: int) -> AsyncIterator[list[Document]]:
        """The same for a long range, of which no more than a page is held at a time."""
        position = seq
        async for page in self._pages(organizations, seq, until):
            async for events in self._events_between(organizations, position, page[0]["seq"] - 1):
                yield events
            position = page[-1]["seq"]
            among = await self._events_of(organizations, page[0]["seq"], position + 1)
            yield list(merge(page, among, key=_seq)) if among else page
        async for events in self._events_between(organizations, position, until):
            yield events

    async def _pages(
        self, organizations: Sequence[str], seq: int, until: int
    ) -> AsyncIterator[list[Document]]:
        async for page in self._readings.after(organizations, seq, until):
            for document in page:
                document["item"] = reading_item(document)
            yield page

    async def _events_between(
        self, organizations: Sequence[str], after: int, until: int
    ) -> AsyncIterator[list[Document]]:
        windows = Windows(after + 1, until + 1, _MINUTES_SEQ, _HOURS_SEQ, PAGE)
        while (piece := windows.next()) is not None:
            events = await self._events_of(organizations, *piece)
            windows.found(len(events))
            if events:
                yield events

    async def _events_of(self, organizations: Sequence[str], low: int, high: int) -> list[Document]:
        span = {"$gte": Int64(low), "$lt": Int64(high)}
        events: list[Document] = []
        for organization in organizations:
            query = {"organization_id": organization, "seq": span}
            events += await self._events.find(query).sort("seq", 1).to_list(None)
        for document in events:
            document["item"] = event_item(document)
        return sorted(events, key=_seq)


def _seq(document: Document) -> int:
    return int(document["seq"])
