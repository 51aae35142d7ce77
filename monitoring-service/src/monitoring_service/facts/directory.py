"""Which organisation a device belongs to: a memory in front of the facts, for the path of every reading."""

import time
from collections.abc import Iterable

from monitoring_service.facts.repository import FactsRepository
from monitoring_service.store.client import StoreError
from monitoring_service.store.writing import StoreAway

_REMEMBER_SECONDS = 10.0
"""A device that another worker has seen deleted is accepted for so long."""
_MAX_REMEMBERED = 200_000


class DeviceDirectory:
    """Remembers owners for a while; devices that are not known are asked for each time."""

    def __init__(self, facts: FactsRepository) -> None:
        self._facts = facts
        self._owners: dict[str, tuple[str, float]] = {}

    async def owners(self, device_ids: Iterable[str]) -> dict[str, str]:
        """Organisation by device; unknown and deleted ones are left out. Raises StoreAway."""
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

    def forget(self, device_id: str) -> None:
        """Ask again for this device: its facts have changed."""
        self._owners.pop(device_id, None)

    async def _ask(self, device_ids: list[str], now: float) -> dict[str, str]:
        try:
            owners = await self._facts.owners(device_ids)
        except StoreError as error:
            raise StoreAway(type(error).__name__) from error
        if len(self._owners) > _MAX_REMEMBERED:
            self._owners.clear()
        for device in device_ids:
            self._owners.pop(device, None)
        self._owners |= {device: (owner, now + _REMEMBER_SECONDS) for device, owner in owners.items()}
        return owners
