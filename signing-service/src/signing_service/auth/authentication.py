"""Authentication by e-mail address and password."""

from dataclasses import dataclass
from uuid import UUID

from fleet_kit.database import Sessions
from fleet_kit.errors import Unavailable
from fleet_kit.scope import EVERYTHING
from signing_service.auth.login_limit import LoginLimit
from signing_service.passwords import Asker, Passwords
from signing_service.rate_limiter import Headers
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
        """The user; raises WrongCredentials, TooManyFailures or Unavailable.

        The limit is looked at again at the end, so that guesses made all at once cannot pass it.
        """
        standing = await self.login_limit.check(email, address)
        user = await self._user(email)
        # Whether the account exists decides nothing here: else the answers of a full pool would tell.
        trusted = standing.trusted
        asker = Asker(email if trusted else address, is_stranger=not trusted)
        if not await self._matches(user, password, asker) or user is None:
            raise await self.login_limit.failed(email, address)
        limit = await self.login_limit.succeeded(email, address)
        new_hash = None
        if self.passwords.is_outdated(user.password_hash):
            new_hash = await self.passwords.hash(password, asker)
        return AuthenticatedUser(user.id, new_hash, limit)

    async def _matches(self, user: User | None, password: str, asker: Asker) -> bool:
        try:
            return await self.passwords.matches(user.password_hash if user else None, password, asker)
        except Unavailable:
            if asker.is_stranger:
                await self.login_limit.turned_away(asker.queue)
            raise

    async def _user(self, email: str) -> User | None:
        async with self.sessions() as session:
            return await UserService(session, EVERYTHING).by_email(email)
