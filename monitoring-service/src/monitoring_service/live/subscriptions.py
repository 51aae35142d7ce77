"""What a client subscribes to, checked against what it may see."""

import asyncio
from dataclasses import dataclass

from fleet_kit.scope import Scope
from monitoring_service.directory.service import DirectoryService
from monitoring_service.live.schemas import Subscribe
from monitoring_service.store.client import Document, Store
from monitoring_service.store.read_limiter import QueriesBusy
from monitoring_service.store.reads import Query, Reads

_TRIES, _PAUSE_SECONDS = 20, 0.25


@dataclass(frozen=True, slots=True)
class Target:
    """Ids of devices and ICCIDs of SIMs; both None for everything of the organisations."""

    devices: frozenset[str] | None
    sims: frozenset[str] | None
    organizations: tuple[str, ...]


class _RetriedReads:
    """Reads that come again where too many wait already: after a restart all clients subscribe at once."""

    exhausted = False

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def rows(self, query: Query, most: int) -> list[Document]:
        """See Reads; raises QueriesBusy in the end."""
        for _ in range(_TRIES):
            try:
                return await self._reads.rows(query, most)
            except QueriesBusy:
                await asyncio.sleep(_PAUSE_SECONDS)
        return await self._reads.rows(query, most)


async def resolve_target(store: Store, scope: Scope, wanted: Subscribe, reads: Reads) -> Target:
    """Everything that the request names; a SIM also stands for the device that carries it.

    Raises NotFound for devices and SIMs outside the scope, StoreError, and what `reads` does.
    """
    directory = DirectoryService(store, scope, _RetriedReads(reads))
    devices, sims = [str(device) for device in wanted.devices or ()], wanted.sims or []
    await directory.require_devices(devices)
    await directory.require_sims(sims)
    devices += await directory.devices_with_sims(sims)
    organizations = (
        await directory.organizations() if scope.organization_id is None else [str(scope.organization_id)]
    )
    if wanted.devices is None and wanted.sims is None:
        return Target(None, None, tuple(organizations))
    return Target(frozenset(devices), frozenset(sims), tuple(organizations))
