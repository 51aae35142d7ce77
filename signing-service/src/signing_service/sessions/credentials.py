"""Proving who one is, by e-mail address and password."""

from dataclasses import dataclass
from uuid import UUID

from fleet_kit.database import Sessions
from fleet_kit.scope import EVERYTHING
from signing_service.passwords import Passwords
from signing_service.sessions.attempts import Headers, LoginAttempts
from signing_service.users.models import User
from signing_service.users.service import UserService


@dataclass(frozen=True)
class Proven:
    """A user who gave the right password; `hashed` is a new hash of it where the stored one is outdated."""

    user_id: UUID
    hashed: str | None
    limit: Headers


@dataclass(frozen=True)
class Credentials:
    """Checks them. No database connection is held while a password is hashed: that takes a while."""

    sessions: Sessions
    passwords: Passwords
    attempts: LoginAttempts

    async def prove(self, email: str, password: str, address: str) -> Proven:
        """Who that is; raises WrongCredentials or TooManyFailures.

        The limit is looked at again at the end, so that guesses made all at once cannot pass it.
        """
        await self.attempts.check(email, address)
        user = await self._user(email)
        right = await self.passwords.matches(user.password_hash if user else None, password)
        if user is None or not right:
            raise await self.attempts.failed(email, address)
        limit = await self.attempts.check(email, address)
        outdated = self.passwords.is_outdated(user.password_hash)
        return Proven(user.id, await self.passwords.hash(password) if outdated else None, limit)

    async def _user(self, email: str) -> User | None:
        async with self.sessions() as session:
            return await UserService(session, EVERYTHING).by_email(email)
