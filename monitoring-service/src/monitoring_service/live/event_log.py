"""Events of devices, SIMs and alerts in the order of the live feed, stored beside the readings."""

import asyncio
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from fleet_contracts.events import FleetEvent
from monitoring_service.live.models import event_document, kind_of
from monitoring_service.store.client import Store
from monitoring_service.store.inserts import insert_once
from monitoring_service.store.sequence import MAX_START_DELAY_SECONDS, StorageSequence


class EventLog:
    """Writes events under numbers of the same sequence as readings, so that one cursor covers both."""

    def __init__(self, store: Store, sequence: StorageSequence, on_stored: Callable[[], None]) -> None:
        self._store, self._sequence, self._on_stored = store, sequence, on_stored

    async def write(self, events: Iterable[FleetEvent]) -> None:
        """Store what live clients may see; what was stored before stays as it is."""
        now = datetime.now(UTC)
        documents = [event_document(event, now) for event in events if kind_of(event)]
        if not documents:
            return
        deadline = asyncio.get_running_loop().time() + MAX_START_DELAY_SECONDS
        block = await self._sequence.begin(len(documents), ())
        for number, document in enumerate(documents, block.start):
            document["seq"] = number
        await insert_once(self._store.events, documents, deadline=deadline)
        await self._sequence.close(block, {})
        self._on_stored()
