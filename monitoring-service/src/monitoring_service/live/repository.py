"""Reading the store in the order of the live feed."""

from collections.abc import AsyncIterator, Sequence
from heapq import merge

from bson.int64 import Int64

from monitoring_service.live.models import event_item, reading_item
from monitoring_service.readings.repository import ReadingRepository
from monitoring_service.store.client import Document, Store


class FeedRepository:
    """Readings and events of organisations, in one order."""

    def __init__(self, store: Store) -> None:
        self._readings, self._events = ReadingRepository(store), store.events

    async def after(
        self, organizations: Sequence[str], seq: int, until: int
    ) -> AsyncIterator[list[Document]]:
        """Everything stored after `seq` up to `until`, in order, in pages; each with its `item`."""
        events = await self._between(organizations, seq, until)
        async for page in self._readings.after(organizations, seq, until):
            for document in page:
                document["item"] = reading_item(document)
            end = page[-1]["seq"]
            due = [event for event in events if event["seq"] <= end]
            events = events[len(due) :]
            yield list(merge(page, due, key=_seq)) if due else page
        if events:
            yield events

    async def _between(self, organizations: Sequence[str], low: int, high: int) -> list[Document]:
        span = {"$gt": Int64(low), "$lte": Int64(high)}
        query = {"organization_id": {"$in": list(organizations)}, "seq": span}
        events: list[Document] = await self._events.find(query).sort("seq", 1).to_list(None)
        for document in events:
            document["item"] = event_item(document)
        return events


def _seq(document: Document) -> int:
    return int(document["seq"])
