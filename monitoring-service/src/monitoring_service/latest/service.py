"""The latest reading of each device: kept in memory for a moment, then written once."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from fleet_kit.scope import EVERYTHING, Scope
from monitoring_service.directory.service import DirectoryService
from monitoring_service.latest.models import is_newer
from monitoring_service.latest.repository import LatestRepository
from monitoring_service.store.client import Document, Store


class LatestProjection:
    """Called with every stored reading; `flush` writes what is newest. See readings/checkpoint.py."""

    def __init__(self, store: Store) -> None:
        self._repository = LatestRepository(store, EVERYTHING)
        self._waiting: dict[str, Document] = {}

    def on_stored(self, readings: Iterable[Document]) -> None:
        """Remember the newest of each device."""
        waiting = self._waiting
        for reading in readings:
            device = reading["device_id"]
            known = waiting.get(device)
            if known is None or is_newer(reading, known):
                waiting[device] = reading

    async def flush(self) -> None:
        """Write what waits; raises StoreError and then keeps it."""
        taken, self._waiting = self._waiting, {}
        if not taken:
            return
        try:
            await self._repository.apply(taken.values())
        except BaseException:
            self.on_stored(taken.values())
            raise


class LatestQueries:
    """What one may read of latest readings."""

    def __init__(self, store: Store, scope: Scope) -> None:
        self._repository, self._directory = LatestRepository(store, scope), DirectoryService(store, scope)

    async def page(
        self, devices: Sequence[str] | None, after: str | None, size: int
    ) -> tuple[list[Document], str | None]:
        """One page of devices that exist, and the last id if there are more."""
        rows = await self._repository.page(devices, after, size + 1)
        shown = rows[:size]
        existing = await self._directory.existing(row["_id"] for row in shown)
        last = shown[-1]["_id"] if len(rows) > size else None
        return [row for row in shown if row["_id"] in existing], last

    async def newest(self, device_id: str) -> Document | None:
        """The newest reading of one device, None if it has none."""
        return await self._repository.newest(device_id)

    async def online(self, since: datetime) -> int:
        """Devices that exist and sent a reading since then."""
        return len(await self._directory.existing(await self._repository.received_since(since)))
