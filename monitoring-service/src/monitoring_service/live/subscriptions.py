"""What a client subscribes to, checked against what it may see."""

from dataclasses import dataclass

from fleet_kit.scope import Scope
from monitoring_service.directory.service import DirectoryService
from monitoring_service.live.schemas import Subscribe
from monitoring_service.store.client import Store


@dataclass(frozen=True, slots=True)
class Target:
    """Ids of devices and ICCIDs of SIMs; both None for everything of the organisations."""

    devices: frozenset[str] | None
    sims: frozenset[str] | None
    organizations: tuple[str, ...]


async def resolve_target(store: Store, scope: Scope, wanted: Subscribe) -> Target:
    """Everything that the request names; a SIM also stands for the device that carries it.

    Raises NotFound for devices and SIMs outside the scope, StoreError.
    """
    directory = DirectoryService(store, scope)
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
