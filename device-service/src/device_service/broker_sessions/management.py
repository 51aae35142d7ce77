"""The broker's management API: ends sessions and subscriptions of a device."""

from urllib.parse import quote
from uuid import UUID

import httpx

from device_service.settings import DeviceSettings
from fleet_contracts.topology import subscription_queues
from fleet_kit.http_client import open_http

_REASON = "the device may not use the broker (any more, or for a while)"


class DeviceSessions:
    """What a device has at the broker. Raises httpx.HTTPError where the broker does not do as asked."""

    def __init__(self, management: httpx.AsyncClient, *, vhost: str) -> None:
        self._management, self._queues = management, f"/api/queues/{quote(vhost, safe='')}"

    async def close(self, device_id: UUID) -> None:
        """Close all open sessions of a device, if there are any."""
        await self._delete(f"/api/connections/username/{device_id}")

    async def delete_subscriptions(self, device_id: UUID) -> None:
        """Delete what a device had subscribed to, if anything."""
        for name in subscription_queues(str(device_id)):
            await self._delete(f"{self._queues}/{name}")

    async def _delete(self, path: str) -> None:
        answer = await self._management.delete(path, headers={"X-Reason": _REASON})
        if answer.status_code != httpx.codes.NOT_FOUND:
            answer.raise_for_status()


def broker_management(settings: DeviceSettings) -> httpx.AsyncClient:
    """A client of the broker's management API."""
    login = (settings.broker_management_user, settings.broker_management_password.get_secret_value())
    return open_http(timeout_seconds=5, base_url=settings.broker_management_url, auth=login)
