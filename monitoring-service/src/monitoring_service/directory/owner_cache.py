"""Which organisation a device belongs to: a cache in front of the directory, asked for every reading."""

import time
from collections.abc import Iterable

from monitoring_service.directory.service import DirectoryService
from monitoring_service.store.client import StoreError
from monitoring_service.store.inserts import StoreUnavailable

_REMEMBER_SECONDS = 10.0
"""A device that another worker has seen deleted is accepted for so long."""
_MAX_REMEMBERED = 200_000


class DeviceOwnerCache:
    """Remembers owners for a while; devices that are not known are asked for each time."""

    def __init__(self, directory: DirectoryService) -> None:
        self._directory = directory
        self._owners: dict[str, tuple[str, float]] = {}

    async def owners(self, device_ids: Iterable[str]) -> dict[str, str]:
        """Organisation by device; unknown and deleted ones are left out. Raises StoreUnavailable."""
        now = time.monotonic()
        found, missing = {}, []
        for device in device_ids:
            known = self._owners.get(device)
            if known is not None and known[1] > now:
                found[device] = known[0]
            else:
                missing.append(device)
        if missing:
            found |= await self._ask(missing, now)
        return found

    async def deleted(self, device_ids: Iterable[str]) -> set[str]:
        """Those of unknown devices that will never be known again. Raises StoreUnavailable."""
        try:
            return await self._directory.deleted(device_ids)
        except StoreError as error:
            raise StoreUnavailable(type(error).__name__) from error

    def forget(self, device_id: str) -> None:
        """Ask again for this device: its entry has changed."""
        self._owners.pop(device_id, None)

    async def _ask(self, device_ids: list[str], now: float) -> dict[str, str]:
        try:
            owners = await self._directory.owners(device_ids)
        except StoreError as error:
            raise StoreUnavailable(type(error).__name__) from error
        if len(self._owners) > _MAX_REMEMBERED:
            self._owners.clear()
        for device in device_ids:
            self._owners.pop(device, None)
        self._owners |= {device: (owner, now + _REMEMBER_SECONDS) for device, owner in owners.items()}
        return owners
