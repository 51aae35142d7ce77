"""Registers the simulated devices, and remembers their keys from run to run."""

import asyncio
import json
import os
from collections.abc import Sequence
from pathlib import Path

from device_simulator.api import FleetApi
from device_simulator.credentials import Credential
from device_simulator.errors import CannotStart
from device_simulator.profiles import Blueprint

AT_ONCE = 8
"""Devices that are registered at the same time."""


class KeyStore:
    """The keys of earlier runs, by device id, in a file that only its owner can read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._keys = self._read()

    def _read(self) -> dict[str, str]:
        try:
            keys = json.loads(self._path.read_text(encoding="utf-8"))["keys"]
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CannotStart(f"{self._path} is damaged ({error}); delete it to issue new keys") from error
        return {str(device_id): str(key) for device_id, key in keys.items()}

    def get(self, device_id: str) -> Credential | None:
        """The credential of this device, if its key is known."""
        key = self._keys.get(device_id)
        return Credential(device_id, key) if key else None

    def put(self, credential: Credential) -> None:
        """Keep a key; it is on disk when this returns."""
        self._keys[credential.id] = credential.key
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(file, "w", encoding="utf-8") as stream:
            json.dump({"keys": self._keys}, stream, indent=1)
            stream.flush()
            os.fsync(stream.fileno())
        fresh.replace(self._path)


async def enrol(api: FleetApi, wanted: Sequence[Blueprint], keys: KeyStore) -> list[Credential]:
    """A credential for each blueprint, in order.

    Devices of earlier runs are found by name; where the key is lost it is rotated; missing devices are made.
    """
    existing = await api.devices()
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(blueprint: Blueprint) -> Credential:
        device_id = existing.get(blueprint.name)
        known = keys.get(device_id) if device_id else None
        if known:
            return known
        async with slots:
            if device_id:
                credential = await api.rotate(device_id)
            else:
                credential = await api.create(blueprint.name, blueprint.profile.type)
            keys.put(credential)
            return credential

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(blueprint)) for blueprint in wanted]
    return [task.result() for task in tasks]
