"""How many devices there are and how many are online, counted piece by piece.

No index holds these numbers, so they are counted, by permits of their organisation; what took long is
remembered for longer, and shown a while longer still until it is counted anew.
"""

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from fleet_kit.scope import Scope
from monitoring_service.directory.service import DirectoryService
from monitoring_service.latest.service import LatestQueries
from monitoring_service.store.client import Store
from monitoring_service.store.read_limiter import ReadLimiter
from monitoring_service.store.reads import PIECE, SharedReads
from monitoring_service.store.slots import slot_windows
from monitoring_service.watermark.service import WatermarkQueries

_QUICK_SECONDS = 0.2
"""What is counted so quickly is counted for every request."""
_REMEMBER = 5
"""Multiples of the time it took."""
_PATIENCE_SECONDS = 1.0
"""So long a request waits for a new count where there is an old one."""
_FORGET_SECONDS = 3600.0
_READ_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Census:
    """The figures, and until when (of the monotonic clock) they are good enough."""

    devices: int
    online: int
    fresh_until: float


class CensusTaker:
    """Counts each organisation once at a time, whoever asks."""

    def __init__(self, store: Store, limiter: ReadLimiter, offline_after: timedelta) -> None:
        self._store, self._limiter, self._offline_after = store, limiter, offline_after
        self._known: dict[UUID | None, Census] = {}
        self._counting: dict[UUID | None, asyncio.Task[Census]] = {}

    async def read(self, scope: Scope, organization_id: UUID, seconds: float) -> Census | None:
        """The newest figures, None if there are none after so many seconds; raises StoreError, QueriesBusy.

        `organization_id` is the one whose permits are used.
        """
        key, known = scope.organization_id, self._known.get(scope.organization_id)
        if known is not None and known.fresh_until > time.monotonic():
            return known
        counting = self._counting.get(key)
        if counting is None:
            counting = self._counting[key] = asyncio.create_task(self._count(scope, organization_id))
            counting.add_done_callback(lambda done: self._counted(key, done))
        await asyncio.wait({counting}, timeout=seconds if known is None else min(seconds, _PATIENCE_SECONDS))
        return counting.result() if counting.done() else known

    def _counted(self, key: UUID | None, counting: "asyncio.Task[Census]") -> None:
        del self._counting[key]
        now = time.monotonic()
        for other in [
            one for one, census in self._known.items() if census.fresh_until < now - _FORGET_SECONDS
        ]:
            del self._known[other]
        if not counting.cancelled() and counting.exception() is None:
            self._known[key] = counting.result()

    async def _count(self, scope: Scope, organization_id: UUID) -> Census:
        began = time.monotonic()
        reads = SharedReads(self._limiter, str(organization_id), seconds=_READ_SECONDS)
        directory = DirectoryService(self._store, scope, reads)
        latest = LatestQueries(self._store, scope, reads)
        heard_until = await WatermarkQueries(self._store, reads).heard_until(datetime.now(UTC))
        since = heard_until - self._offline_after
        devices = online = 0
        windows = slot_windows(0, PIECE)
        while (piece := windows.next()) is not None:
            existing, number = await directory.in_slots(*piece)
            windows.found(number)
            devices += len(existing)
            if existing:
                online += len(existing & await latest.heard(*piece, since))
        took = time.monotonic() - began
        return Census(devices, online, time.monotonic() + (_REMEMBER * took if took > _QUICK_SECONDS else 0))
