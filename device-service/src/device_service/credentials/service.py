import time
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from device_service.broker_sessions.service import SessionTerminations
from device_service.cache import ReadCache
from device_service.credentials.keys import hash_of, looks_like_key, matches, new_key
from device_service.credentials.lookup import CredentialLookup
from device_service.credentials.refused import RefusedCredentials
from device_service.credentials.repository import CredentialRepository
from device_service.devices.changes import Changes
from device_service.devices.models import Device
from device_service.devices.service import DeviceService
from fleet_kit.database import Sessions
from fleet_kit.principal import Principal
from fleet_kit.scope import EVERYTHING

_BATCH = 1000
CACHE_SECONDS = 5
"""Longest time for which a key's hash is remembered; a change drops it at once."""


class CredentialService:
    """Issues, rotates and revokes the keys of devices."""

    def __init__(
        self, session: AsyncSession, principal: Principal, devices: DeviceService, changes: Changes
    ) -> None:
        self._credentials = CredentialRepository(session, principal.scope)
        self._devices, self._changes = devices, changes
        self._session_terminations = SessionTerminations(session)

    async def issue(self, device: Device) -> str:
        """A new key; the old one, if any, is worth nothing from the commit on."""
        key = new_key()
        await self._credentials.put(device.id, device.organization_id, hash_of(key))
        self._changes.credential(device.id)
        return key

    async def rotate(self, device_id: UUID) -> str:
        """A new key for an existing device; raises NotFound, Forbidden."""
        device = await self._devices.editable(device_id)
        await self._session_terminations.request(device.id, device.organization_id)
        return await self.issue(device)

    async def revoke(self, device_id: UUID) -> None:
        """Leave the device without a key; raises NotFound, Forbidden."""
        device = await self._devices.editable(device_id)
        await self._credentials.delete(device.id)
        await self._session_terminations.request(device.id, device.organization_id)
        self._changes.credential(device.id)


@dataclass(frozen=True, slots=True)
class DeviceIdentity:
    """A device that has proved who it is, or whose key exists."""

    device_id: UUID
    organization_id: UUID


class Authenticator:
    """Recognises devices by their key, from Redis where it can."""

    def __init__(self, sessions: Sessions, cache: ReadCache) -> None:
        self._sessions, self._cache = sessions, cache
        self._lookup, self._refused = CredentialLookup(sessions), RefusedCredentials()

    async def identify(self, device_id: UUID, key: str) -> DeviceIdentity | None:
        """The device, if that is its key."""
        if not looks_like_key(key) or self._refused.has(device_id, key):
            return None
        stored = await self._stored(device_id)
        if stored is None or not matches(key, stored[1]):
            self._refused.add(device_id, key)
            return None
        return DeviceIdentity(device_id, stored[0])

    async def has_key(self, device_id: UUID) -> bool:
        """Whether the device exists and was not revoked."""
        return await self._stored(device_id) is not None

    async def with_key(self, device_ids: Collection[UUID]) -> set[UUID]:
        """Those of a few devices that exist and were not revoked."""
        async with self._sessions() as session:
            return set(await CredentialRepository(session, EVERYTHING).owners(device_ids))

    async def count_sessions(self, device_ids: Iterable[UUID]) -> Counter[UUID]:
        """How many of these sessions each organisation has; a device is named once for each of its own."""
        open_sessions, found = Counter(device_ids), Counter[UUID]()
        devices = list(open_sessions)
        async with self._sessions() as session:
            credentials = CredentialRepository(session, EVERYTHING)
            for start in range(0, len(devices), _BATCH):
                batch = devices[start : start + _BATCH]
                for device_id, owner in (await credentials.owners(batch)).items():
                    found[owner] += open_sessions[device_id]
        return found

    async def _stored(self, device_id: UUID) -> tuple[UUID, bytes] | None:
        """Organisation and hash of the key."""
        packed = await self._cache.get(str(device_id))
        if packed is not None:
            return UUID(bytes=packed[:16]), packed[16:]
        read_at = time.monotonic()
        found = await self._lookup.find(device_id)
        if found is None:
            return None
        packed = found.organization_id.bytes + found.key_hash
        await self._cache.fill(str(device_id), packed, read_at=read_at)
        return found.organization_id, found.key_hash
