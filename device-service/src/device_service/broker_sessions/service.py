"""Closing a device's sessions at the broker after it has lost a key.

The broker asks about a key when a session begins and remembers what the session may do for as long as it is
open, so a revoked key would go on publishing. Its management API closes sessions by user name. Because the
broker also remembers a key for some seconds (the cache of its HTTP backend), sessions are closed at once and
a second time when that memory has faded; a device with its new key simply connects again.
"""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from device_service.broker_sessions.repository import SessionTerminationRepository
from device_service.settings import DeviceSettings
from fleet_kit.database import Sessions
from fleet_kit.http_client import tls_context

log = structlog.get_logger(__name__)
BROKER_REMEMBERS = timedelta(seconds=10)
"""How long the broker takes an old key for good: `auth_cache.cache_ttl` in its configuration."""
_MARGIN = timedelta(seconds=2)
_BATCH = 50
_REASON = "the device's key was revoked"


class SessionTerminations:
    """Notes, in the transaction of the change, that a device's sessions have to end."""

    def __init__(self, session: AsyncSession) -> None:
        self._terminations = SessionTerminationRepository(session)

    async def request(self, device_id: UUID) -> None:
        """Have the worker close them."""
        await self._terminations.put(device_id, datetime.now(UTC))


class SessionCloser:
    """The worker's side: closes what was noted; a broker that is unavailable is asked again."""

    def __init__(self, sessions: Sessions, management: httpx.AsyncClient) -> None:
        self._sessions, self._management = sessions, management

    async def close_due(self) -> int:
        """Close what is due; how many devices that were.

        Raises httpx.HTTPError while the broker is unavailable.
        """
        async with self._sessions.begin() as session:
            terminations = SessionTerminationRepository(session)
            now = datetime.now(UTC)
            rows = await terminations.due(now, _BATCH)
            for row in rows:
                await self._close(row.device_id)
                faded = row.since + BROKER_REMEMBERS + _MARGIN
                if now < faded:
                    await terminations.reschedule(row.device_id, faded)
                else:
                    await terminations.delete(row.device_id)
        return len(rows)

    async def _close(self, device_id: UUID) -> None:
        answer = await self._management.delete(
            f"/api/connections/username/{device_id}", headers={"X-Reason": _REASON}
        )
        if answer.status_code != httpx.codes.NOT_FOUND:
            answer.raise_for_status()
        log.info("sessions closed", device_id=str(device_id))


def broker_management(settings: DeviceSettings) -> httpx.AsyncClient:
    """A client of the broker's management API."""
    login = (settings.broker_management_user, settings.broker_management_password.get_secret_value())
    return httpx.AsyncClient(
        base_url=settings.broker_management_url, auth=login, verify=tls_context(), timeout=5, trust_env=False
    )
