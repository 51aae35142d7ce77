"""Credentials that were refused a moment ago.

A key is made at random and no two are equal, so what is none now does not become one: whoever tries the same
again, such as a device that was not told its new key, is refused without asking anybody. Only for a moment,
since without Redis a change of the key may not be known for as long.
"""

import hashlib
from uuid import UUID

from fleet_kit.expiring_set import ExpiringSet

REMEMBERED_SECONDS = 5.0
MOST = 10_000


class RefusedCredentials:
    """Digests of devices' ids with wrong keys, each for a moment."""

    def __init__(self) -> None:
        self._digests = ExpiringSet[bytes](REMEMBERED_SECONDS, most=MOST)

    def has(self, device_id: UUID, key: str) -> bool:
        """Whether that was refused a moment ago."""
        return _digest(device_id, key) in self._digests

    def add(self, device_id: UUID, key: str) -> None:
        """Note that it was refused."""
        self._digests.add(_digest(device_id, key))


def _digest(device_id: UUID, key: str) -> bytes:
    return hashlib.blake2b(
        key.encode("utf-8", "surrogatepass"), digest_size=16, salt=device_id.bytes
    ).digest()
