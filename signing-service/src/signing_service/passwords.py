"""Password hashing with Argon2id, off the event loop and a few at a time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from fleet_kit.errors import Unavailable

MAX_WAIT_SECONDS = 10.0


class Passwords:
    """Hashes and checks. One hash takes about 0.1 s and 64 MiB, hence the bound on `parallel`.

    Both raise Unavailable when so many are waiting that a slot does not become free in time.
    """

    def __init__(self, parallel: int, *, max_wait_seconds: float = MAX_WAIT_SECONDS) -> None:
        self._hasher = PasswordHasher()
        self._slots, self._wait = asyncio.Semaphore(parallel), max_wait_seconds
        self._dummy_hash = self._hasher.hash("no account has this password")

    async def hash(self, password: str) -> str:
        """The hash to store."""
        async with self._slot():
            return await asyncio.to_thread(self._hasher.hash, password)

    async def matches(self, stored: str | None, password: str) -> bool:
        """Whether the password is right. Without a stored hash the answer is no, after the same time."""
        async with self._slot():
            return await asyncio.to_thread(self._verify, stored, password)

    def is_outdated(self, stored: str) -> bool:
        """Whether the hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(stored)

    def _verify(self, stored: str | None, password: str) -> bool:
        try:
            self._hasher.verify(stored or self._dummy_hash, password)
        except (VerificationError, InvalidHashError):
            return False
        return stored is not None

    @asynccontextmanager
    async def _slot(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._wait):
                await self._slots.acquire()
        except TimeoutError:
            raise Unavailable("too many passwords are being checked, try again") from None
        try:
            yield
        finally:
            self._slots.release()
