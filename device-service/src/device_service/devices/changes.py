"""What a request has changed, so that cached copies are dropped once the change is committed."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request

from device_service.cache import ReadCache
from device_service.devices.models import Device


@dataclass
class Changes:
    """Ids of the devices and credentials that were changed; they are the keys of the caches."""

    devices: set[str] = field(default_factory=set)
    credentials: set[str] = field(default_factory=set)

    def device(self, device: Device) -> None:
        """The device changed."""
        self.devices.add(str(device.id))

    def credential(self, device_id: UUID) -> None:
        """The device's key is another one, or none."""
        self.credentials.add(str(device_id))


@dataclass(frozen=True)
class Caches:
    """Copies that a process keeps in Redis: serialised devices, and hashes of their keys."""

    devices: ReadCache
    credentials: ReadCache

    async def invalidate(self, changes: Changes) -> None:
        """Drop what was changed."""
        await self.credentials.invalidate(*changes.credentials)
        await self.devices.invalidate(*changes.devices)


async def request_changes(request: Request) -> AsyncIterator[Changes]:
    """Collects the changes of a request.

    Put it on the router: what is resolved first ends last, so the session below it has committed by then.
    """
    changes = Changes()
    try:
        yield changes
    finally:
        caches: Caches = request.app.state.caches
        await caches.invalidate(changes)


on_commit = Depends(request_changes, scope="function")
RequestChanges = Annotated[Changes, on_commit]
