"""A semaphore that is shared fairly between keys, such as organisations, within one process.

docs/architecture.md says when to take this and when another way to share.
"""

import asyncio
import sys
from collections.abc import Hashable
from dataclasses import dataclass


@dataclass(slots=True)
class _Own:
    """The permits of one key; `users` hold one or wait for one."""

    permits: asyncio.Semaphore
    users: int = 0


class FairSemaphore:
    """`at_once` permits in all, of which one key has `each` at most; first come, first served.

    A key has no more than `each` places in the common queue either: one that asks for many permits waits for
    itself, and others wait for few of its uses. A time limit is the caller's, through asyncio.timeout.
    """

    def __init__(self, at_once: int = sys.maxsize, *, each: int = 1) -> None:
        self._permits, self._each = asyncio.Semaphore(at_once), each
        self._own: dict[Hashable, _Own] = {}

    @property
    def users(self) -> int:
        """How many hold a permit or wait for one."""
        return sum(own.users for own in self._own.values())

    def users_of(self, key: Hashable) -> int:
        """How many hold a permit of the key or wait for one, and those that rest."""
        return self._own[key].users if key in self._own else 0

    async def acquire(self, key: Hashable) -> None:
        """Wait for a permit, which `release` gives back."""
        own = self._own.setdefault(key, _Own(asyncio.Semaphore(self._each)))
        own.users += 1
        try:
            await own.permits.acquire()
        except BaseException:
            self._leave(key)
            raise
        try:
            await self._permits.acquire()
        except BaseException:
            self._release_own(key)
            raise

    def release(self, key: Hashable, *, rest: float = 0.0) -> None:
        """Give a permit back: to other keys at once, to its own after `rest` seconds."""
        if rest:
            asyncio.get_running_loop().call_later(rest, self._release_own, key)
        else:  # first: the key's next one has its place before the next ones of those that are served now
            self._release_own(key)
        self._permits.release()

    def _release_own(self, key: Hashable) -> None:
        self._own[key].permits.release()
        self._leave(key)

    def _leave(self, key: Hashable) -> None:
        own = self._own[key]
        own.users -= 1
        if not own.users:  # so that keys of strangers do not pile up
            del self._own[key]
