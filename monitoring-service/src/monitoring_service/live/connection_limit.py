"""How many live connections one process holds: altogether, for one address, for one user."""

from collections import Counter
from typing import TypeVar
from uuid import UUID

from fleet_kit.errors import TooManyRequests, Unavailable

Key = TypeVar("Key")
UNPROVED_PERCENT = 50
"""Share of all connections for those whose user is not known yet."""


class ConnectionLimit:
    """Counts connections; whoever enters has to leave.

    Those whose user is not known yet may be a part of them: strangers leave room for users.
    """

    def __init__(self, *, total: int, per_address: int, per_user: int) -> None:
        self._total, self._per_address, self._per_user = total, per_address, per_user
        self._addresses: Counter[str] = Counter()
        self._users: Counter[UUID] = Counter()
        self._open = self._unproved = 0

    def enter(self, address: str) -> None:
        """Count a connection; raises Unavailable or TooManyRequests where there are enough."""
        if self._open >= self._total or self._unproved >= max(1, self._total * UNPROVED_PERCENT // 100):
            raise Unavailable("no more live connections at the moment", code="TOO_MANY_CONNECTIONS")
        if self._addresses[address] >= self._per_address:
            raise _too_many("address", self._per_address)
        self._addresses[address] += 1
        self._open += 1
        self._unproved += 1

    def leave(self, address: str) -> None:
        """The connection of an address has ended."""
        _decrease(self._addresses, address)
        self._open -= 1
        self._unproved -= 1

    def enter_user(self, user_id: UUID) -> None:
        """Count a connection whose user is known now; raises TooManyRequests."""
        if self._users[user_id] >= self._per_user:
            raise _too_many("user", self._per_user)
        self._users[user_id] += 1
        self._unproved -= 1

    def leave_user(self, user_id: UUID) -> None:
        """The connection of a user ends: `leave` follows."""
        _decrease(self._users, user_id)
        self._unproved += 1


def _decrease(counter: Counter[Key], key: Key) -> None:
    counter[key] -= 1
    if not counter[key]:
        del counter[key]


def _too_many(whose: str, most: int) -> TooManyRequests:
    message = f"at most {most} live connections for one {whose}"
    return TooManyRequests(message, code="TOO_MANY_CONNECTIONS", details={"limit": most, "per": whose})
