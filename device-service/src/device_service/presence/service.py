from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from device_service.devices.changes import Caches, Changes
from device_service.presence import events
from device_service.presence.repository import DevicePresence, LastSeen, PresenceRepository
from fleet_kit.database import Sessions
from fleet_kit.outbox import Outbox

SWEEP_LIMIT = 500
"""Devices set offline in one transaction."""


class PresenceService:
    """Turns sightings and silence into status; each in a transaction of its own."""

    def __init__(self, sessions: Sessions, caches: Caches, *, offline_after_seconds: float) -> None:
        self._sessions, self._caches = sessions, caches
        self._offline_after = timedelta(seconds=offline_after_seconds)

    async def record(self, last_seen: LastSeen) -> list[DevicePresence]:
        """Take over sightings; the devices whose status changed. Repeated or late ones change nothing."""
        if not last_seen:
            return []
        async with self._sessions.begin() as session:
            presence = PresenceRepository(session)
            before = await presence.lock(last_seen)
            seen = await presence.update_last_seen(last_seen, online_since=self._online_since())
            changed = [device for device in seen if before[device.device_id] != device.status]
            await self._save_events(session, changed)
        await self._invalidate(changed)
        return changed

    async def sweep(self) -> int:
        """Set offline what fell silent; how many devices that were."""
        total = 0
        while True:
            async with self._sessions.begin() as session:
                silent = await PresenceRepository(session).mark_offline(
                    before=self._online_since(), limit=SWEEP_LIMIT
                )
                await self._save_events(session, silent)
            await self._invalidate(silent)
            total += len(silent)
            if len(silent) < SWEEP_LIMIT:
                return total

    def _online_since(self) -> datetime:
        return datetime.now(UTC) - self._offline_after

    async def _save_events(self, session: AsyncSession, changed: list[DevicePresence]) -> None:
        await Outbox(session).add(*(events.status_changed(device) for device in changed))

    async def _invalidate(self, changed: list[DevicePresence]) -> None:
        await self._caches.invalidate(Changes(devices={str(device.device_id) for device in changed}))
