"""Authentication by e-mail address and password."""

from dataclasses import dataclass
from uuid import UUID

from fleet_kit.database import Sessions
from fleet_kit.scope import EVERYTHING
from signing_service.auth.login_limit import Headers, LoginLimit
from signing_service.passwords import Passwords
from signing_service.users.models import User
from signing_service.users.service import UserService


@dataclass(frozen=True)
class AuthenticatedUser:
    """A user who gave the right password.

    `password_hash` is a new hash of it where the stored one is outdated; `limit` are response headers.
    """

    user_id: UUID
    password_hash: str | None
    limit: Headers


@dataclass(frozen=True)
class PasswordAuthenticator:
    """Checks passwords. No database connection is held while one is hashed: that takes a while."""

    sessions: Sessions
    passwords: Passwords
    login_limit: LoginLimit

    async def authenticate(self, email: str, password: str, address: str) -> AuthenticatedUser:
        """The user; raises WrongCredentials or TooManyFailures.

        The limit is looked at again at the end, so that guesses made all at once cannot pass it.
        """
        await self.login_limit.check(email, address)
        user = await self._user(email)
        right = await self.passwords.matches(user.password_hash if user else None, password)
        if user is None or not right:
            raise await self.login_limit.failed(email, address)
        limit = await self.login_limit.check(email, address)
        outdated = self.passwords.is_outdated(user.password_hash)
        return AuthenticatedUser(user.id, await self.passwords.hash(password) if outdated else None, limit)

    async def _user(self, email: str) -> User | None:
        async with self.sessions() as session:
            return await UserService(session, EVERYTHING).by_email(email)
