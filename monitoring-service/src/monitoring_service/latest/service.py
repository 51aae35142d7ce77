"""The latest reading of each device: kept in memory for a moment, then written once."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from fleet_kit.scope import EVERYTHING, Scope
from monitoring_service.directory.service import DirectoryService
from monitoring_service.latest.models import Position, is_newer
from monitoring_service.latest.repository import LatestRepository, LatestSlice, position
from monitoring_service.store.client import Document, Store
from monitoring_service.store.reads import Reads


class LatestProjection:
    """Called with every stored reading; `flush` writes what is newest. See readings/checkpoint.py."""

    def __init__(self, store: Store) -> None:
        self._repository = LatestRepository(store, EVERYTHING)
        self._waiting: dict[str, tuple[Document, datetime]] = {}

    def on_stored(self, readings: Iterable[Document]) -> None:
        """Remember the newest of each device, and when its oldest was measured."""
        for reading in readings:
            self._keep(reading, reading["ts"])

    async def flush(self) -> None:
        """Write what waits; raises StoreError and then keeps it."""
        taken, self._waiting = self._waiting, {}
        if not taken:
            return
        try:
            await self._repository.apply(taken.values())
        except BaseException:
            for reading, oldest in taken.values():
                self._keep(reading, oldest)
            raise

    def _keep(self, reading: Document, oldest: datetime) -> None:
        device = reading["device_id"]
        known = self._waiting.get(device)
        if known is not None:
            oldest = min(oldest, known[1])
            if not is_newer(reading, known[0]):
                reading = known[0]
        self._waiting[device] = reading, oldest


class DeletedDevices:
    """A job of the worker: forgets devices that were deleted long ago, with what they sent last."""

    def __init__(self, store: Store, kept: timedelta) -> None:
        self._directory, self._latest = (
            DirectoryService(store, EVERYTHING),
            LatestRepository(store, EVERYTHING),
        )
        self._kept = kept

    async def sweep(self) -> int:
        """Forget all that are old, a few at a time; how many that were."""
        forgotten = 0
        while devices := await self._directory.deleted_before(datetime.now(UTC) - self._kept):
            await self._latest.delete(devices)  # first: the entry is what finds it again after a crash
            await self._directory.forget(devices)
            forgotten += len(devices)
        return forgotten


class LatestQueries:
    """What one may read of latest readings."""

    def __init__(self, store: Store, scope: Scope, reads: Reads | None = None) -> None:
        self._repository = LatestRepository(store, scope, reads)
        self._directory = DirectoryService(store, scope, reads)

    async def page(
        self, devices: Sequence[str] | None, after: Position | None, size: int
    ) -> tuple[list[Document], Position | None]:
        """One page of devices that exist, and where the next one goes on if there may be more."""
        if devices is not None:
            rows = await self._repository.named(devices)
            found = LatestSlice([row for row in rows if after is None or position(row) > after][: size + 1])
        else:
            found = await self._repository.page(after, size + 1)
        shown = found.rows[:size]
        existing = await self._directory.existing(row["_id"] for row in shown)
        rest = position(shown[-1]) if len(found.rows) > size else found.rest
        return [row for row in shown if row["_id"] in existing], rest

    async def newest(self, device_id: str) -> Document | None:
        """The newest reading of one device, None if it has none."""
        return await self._repository.newest(device_id)

    async def heard(self, low: int, high: int, since: datetime) -> set[str]:
        """Devices of the slots [low, high) that sent a reading since then."""
        return await self._repository.heard(low, high, since)
