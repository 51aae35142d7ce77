"""Which SIM card is in which device: kept where one is, dealt from the organisation's free ones otherwise."""

import asyncio
import logging
from collections.abc import Sequence

from device_simulator.api import FleetApi
from device_simulator.errors import CannotStart

log = logging.getLogger(__name__)

RETRY_SECONDS = 15.0
"""How often more SIMs are looked for while devices are without."""


class SimCards:
    """The SIM of each device of a run; it grows while SIMs are found."""

    def __init__(self, devices: Sequence[str]) -> None:
        self._devices = devices
        self._iccids: dict[str, str] = {}

    def of(self, device_id: str) -> str | None:
        """The ICCID of a device's SIM."""
        return self._iccids.get(device_id)

    @property
    def missing(self) -> int:
        """Devices without a SIM."""
        return len(self._devices) - len(self._iccids)

    async def deal(self, api: FleetApi) -> None:
        """Put free SIMs into devices that have none, as far as there are any; log in before."""
        known = await api.simcards()
        self._iccids = {device: known[device] for device in self._devices if device in known}
        if not self.missing:
            return
        taken = set(known.values())
        free = [iccid for iccid in await api.free_simcards() if iccid not in taken]
        bare = [device for device in self._devices if device not in self._iccids]
        for device, iccid in zip(bare, free, strict=False):
            await api.insert(device, iccid)
            self._iccids[device] = iccid

    async def keep_dealing(self, api: FleetApi, email: str, password: str) -> None:
        """Look for more SIMs until every device has one."""
        while self.missing:
            await asyncio.sleep(RETRY_SECONDS)
            try:
                await api.login(email, password)
                await self.deal(api)
            except CannotStart as error:
                log.warning("SIM cards are not dealt yet: %s", error)
