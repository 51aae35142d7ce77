"""Password hashing with Argon2id, off the event loop and a few at a time."""

from collections.abc import Iterable
from typing import NamedTuple

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from signing_service.hash_pool import MAX_WAIT_SECONDS, HashPool
from signing_service.password_rules import refuse_guessable

USERS_PLACES, USERS_PLACES_OF_ONE = 1000, 32
STRANGERS_PLACES, STRANGERS_PLACES_OF_ONE = 32, 8


class Asker(NamedTuple):
    """Who wants something hashed. `queue` is the account or e-mail address, or the address of a stranger."""

    queue: str
    is_stranger: bool


class Passwords:
    """Hashes and checks. One hash takes about 0.1 s and 64 MiB, hence the bounds on how many run at once.

    Strangers have threads and a queue of their own, so that however many come, users still log in. All raise
    Unavailable when so many are waiting that none of the threads becomes free in time.
    """

    def __init__(self, users: int, strangers: int = 1, *, max_wait_seconds: float = MAX_WAIT_SECONDS) -> None:
        self._hasher = PasswordHasher()
        self._users = HashPool(
            users,
            places=USERS_PLACES,
            places_of_one=USERS_PLACES_OF_ONE,
            max_wait_seconds=max_wait_seconds,
        )
        self._strangers = HashPool(
            strangers,
            places=STRANGERS_PLACES,
            places_of_one=STRANGERS_PLACES_OF_ONE,
            max_wait_seconds=max_wait_seconds,
        )
        self._dummy_hash = self._hasher.hash("no account has this password")

    async def hash(self, password: str, asker: Asker) -> str:
        """The hash to store."""
        return await self._pool(asker).run(asker.queue, lambda: self._hasher.hash(password))

    async def hash_new(self, password: str, asker: Asker, names: Iterable[str]) -> str:
        """The hash of a password that somebody has just chosen; raises Unprocessable for a guessable one.

        `names` are those that the password must not be made of.
        """

        def job() -> str:
            refuse_guessable(password, names)
            return self._hasher.hash(password)

        return await self._pool(asker).run(asker.queue, job)

    async def matches(self, stored: str | None, password: str, asker: Asker) -> bool:
        """Whether the password is right. Without a stored hash the answer is no, after the same time."""
        return await self._pool(asker).run(asker.queue, lambda: self._verify(stored, password))

    def is_outdated(self, stored: str) -> bool:
        """Whether the hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(stored)

    def close(self) -> None:
        """End the threads."""
        self._users.close()
        self._strangers.close()

    def _pool(self, asker: Asker) -> HashPool:
        return self._strangers if asker.is_stranger else self._users

    def _verify(self, stored: str | None, password: str) -> bool:
        try:
            self._hasher.verify(stored or self._dummy_hash, password)
        except (VerificationError, InvalidHashError):
            return False
        return stored is not None
