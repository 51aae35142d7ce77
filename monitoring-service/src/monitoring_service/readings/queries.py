"""Readings in the order of storage: what this feature offers to the live feed."""

from collections.abc import AsyncIterator, Sequence

from monitoring_service.readings.repository import PAGE, ReadingRepository
from monitoring_service.store.client import Document, Store
from monitoring_service.store.reads import Reads
from monitoring_service.store.sequence import Snapshot

__all__ = ["PAGE", "StoredReadings"]


class StoredReadings:
    """Readings of organisations that the caller may see: nothing is checked here."""

    def __init__(self, store: Store, reads: Reads) -> None:
        self._repository = ReadingRepository(store, reads)

    def after(
        self, organizations: Sequence[str], seq: int, snapshot: Snapshot
    ) -> AsyncIterator[list[Document]]:
        """Readings stored after `seq` that the snapshot has for good, in order, in pages."""
        return self._repository.after(organizations, seq, snapshot)
