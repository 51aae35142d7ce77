from datetime import UTC, datetime, timedelta
from uuid import UUID

from prometheus_client import Gauge
from sqlalchemy.ext.asyncio import AsyncSession

from device_service.devices.changes import Caches, Changes
from device_service.presence import events
from device_service.presence.repository import DevicePresence, LastSeen, PresenceRepository
from fleet_kit.database import Sessions
from fleet_kit.health import Degraded
from fleet_kit.outbox import Outbox

FIRST_ID = UUID(int=0)
SWEEP_LIMIT = 500
"""Devices set offline in one transaction."""


WATERMARK_LATE = timedelta(minutes=5)
"""For so long the watermark may stand still, such as during a restart, before people are told."""
WATERMARK = Gauge(
    "device_presence_watermark_timestamp_seconds",
    "Up to when silence of devices counts, in seconds since 1970; 0 before anybody has said so",
)


def newest(*moments: datetime | None) -> datetime | None:
    """The newest of those that are known."""
    return max((moment for moment in moments if moment is not None), default=None)


class PresenceService:
    """Turns sightings and silence into status; each in a transaction of its own.

    Silence counts up to the watermark only, which monitoring-service moves while it can tell: after that a
    device may have sent something that waits. Before the first one came, nobody's silence counts.
    """

    def __init__(self, sessions: Sessions, caches: Caches, *, offline_after_seconds: float) -> None:
        self._sessions, self._caches = sessions, caches
        self._offline_after = timedelta(seconds=offline_after_seconds)
        self._watermark: datetime | None = None
        self._began = datetime.now(UTC)

    async def check(self) -> None:
        """Raise Degraded while nobody can go offline, for nobody tells that readings are worked off."""
        age = datetime.now(UTC) - (self._watermark or self._began)
        if age > WATERMARK_LATE:
            raise Degraded(
                f"no device goes offline: for {age.total_seconds():.0f} s monitoring-service has not told "
                "that readings are worked off"
            )

    async def record(self, last_seen: LastSeen, watermark: datetime | None = None) -> list[DevicePresence]:
        """Take over sightings, and that nobody else was heard until `watermark`.

        The devices whose status changed. Repeated or late sightings change nothing.
        """
        if watermark is not None:
            # A clock that is ahead of ours, or was, must not make later silence count.
            watermark = min(watermark, datetime.now(UTC))
        watermark = newest(self._watermark, watermark)
        changed = await self._record(last_seen, watermark) if last_seen else []
        self._watermark = watermark
        if watermark is not None:
            WATERMARK.set(watermark.timestamp())
        return changed

    async def _record(self, last_seen: LastSeen, watermark: datetime | None) -> list[DevicePresence]:
        async with self._sessions.begin() as session:
            presence = PresenceRepository(session)
            before = await presence.lock(last_seen)
            seen = await presence.update_last_seen(last_seen, online_since=self._online_since(watermark))
            changed = [device for device in seen if before[device.device_id] != device.status]
            await self._save_events(session, changed)
        await self._invalidate(changed)
        return changed

    async def sweep(self) -> int:
        """Set offline what was silent up to the watermark; how many devices that were."""
        total, watermark, after = 0, self._watermark, FIRST_ID
        while watermark is not None:
            async with self._sessions.begin() as session:
                silent = await PresenceRepository(session).mark_offline(
                    before=self._online_since(watermark), after=after, limit=SWEEP_LIMIT
                )
                await self._save_events(session, silent)
            await self._invalidate(silent)
            total += len(silent)
            if len(silent) < SWEEP_LIMIT:
                break
            after = max(device.device_id for device in silent)
        return total

    def _online_since(self, watermark: datetime | None) -> datetime:
        return (watermark or datetime.now(UTC)) - self._offline_after

    async def _save_events(self, session: AsyncSession, changed: list[DevicePresence]) -> None:
        await Outbox(session).add(*(events.status_changed(device) for device in changed))

    async def _invalidate(self, changed: list[DevicePresence]) -> None:
        await self._caches.invalidate(Changes(devices={str(device.device_id) for device in changed}))
