"""Rules of logging in, going on and logging out."""

from uuid import UUID

import structlog
from redis.asyncio import Redis
from sqlalchemy import func
from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.database import uuid7
from fleet_kit.errors import Unauthorized
from fleet_kit.principal import Principal
from fleet_kit.scope import EVERYTHING
from signing_service.denylist.service import Revoker
from signing_service.passwords import Passwords
from signing_service.sessions.repository import RefreshTokenRepository
from signing_service.sessions.schemas import TokenPair
from signing_service.sessions.tokens import Issuer, token_hash
from signing_service.users.models import User
from signing_service.users.repository import UserRepository

log = structlog.get_logger(__name__)


class SessionService:
    """Logins of users. A session is a family of refresh tokens and the access tokens got with them."""

    def __init__(self, session: AsyncSession, redis: Redis, issuer: Issuer) -> None:
        self._session, self._issuer = session, issuer
        self._refresh_tokens = RefreshTokenRepository(session)
        self._users = UserRepository(session, EVERYTHING)
        self._revoker = Revoker(session, redis)

    async def login(self, passwords: Passwords, email: str, password: str) -> TokenPair:
        """Start a session; raises Unauthorized without saying which of the two was wrong."""
        user = await self._users.by_email(email)
        if not await passwords.matches(user.password_hash if user else None, password) or user is None:
            raise Unauthorized("e-mail address or password is wrong", code="INVALID_CREDENTIALS")
        if passwords.is_outdated(user.password_hash):
            user.password_hash = await passwords.hash(password)
        user.last_login_at = func.now()
        return await self._issue(user, uuid7())

    async def refresh(self, token: str) -> TokenPair | Unauthorized:
        """The next pair for a refresh token.

        A token that was used before ends its whole session: somebody has a copy. The error is returned, not
        raised, because that end has to be committed.
        """
        used = await self._refresh_tokens.use(token_hash(token))
        if used is None:
            return await self._refuse(token)
        user = await self._users.find(used.user_id)
        if user is None:
            return _invalid()
        return await self._issue(user, used.session_id)

    async def logout(self, principal: Principal) -> None:
        """End the session; its tokens are refused everywhere within a second."""
        await self._refresh_tokens.end_session(UUID(principal.session_id))
        await self._revoker.revoke(
            organization_id=principal.organization_id,
            user_id=principal.user_id,
            sid=principal.session_id,
            jti=principal.token_id,
            reason="logout",
            expires_at=self._issuer.last_expiry(),
        )

    async def _refuse(self, token: str) -> Unauthorized:
        known = await self._refresh_tokens.find(token_hash(token))
        user = await self._users.find(known.user_id) if known else None
        if known is not None and user is not None and known.used_at is not None:
            log.warning("refresh token used twice, session ended", user_id=str(user.id))
            await self._refresh_tokens.end_session(known.session_id)
            await self._revoker.revoke(
                organization_id=user.organization_id,
                user_id=user.id,
                sid=str(known.session_id),
                jti=None,
                reason="refresh token used twice",
                expires_at=self._issuer.last_expiry(),
            )
        return _invalid()

    async def _issue(self, user: User, session_id: UUID) -> TokenPair:
        refresh_token, row = self._issuer.refresh(user, session_id)
        await self._refresh_tokens.add(row)
        return TokenPair(
            access_token=self._issuer.access(user, session_id),
            refresh_token=refresh_token,
            expires_in=int(self._issuer.access_life.total_seconds()),
        )


def _invalid() -> Unauthorized:
    return Unauthorized("the refresh token is not valid", code="REFRESH_TOKEN_INVALID")
