"""Login, refresh and logout."""

from typing import NamedTuple
from uuid import UUID

import structlog
from redis.asyncio import Redis
from sqlalchemy import func
from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.errors import Unauthorized
from fleet_kit.ids import uuid7
from fleet_kit.principal import Principal
from fleet_kit.scope import EVERYTHING
from signing_service.auth.authentication import AuthenticatedUser
from signing_service.auth.login_limit import WrongCredentials
from signing_service.auth.repository import RefreshTokenRepository
from signing_service.auth.schemas import TokenPair
from signing_service.auth.tokens import TokenIssuer, token_hash
from signing_service.denylist.service import Revoker
from signing_service.users.models import User
from signing_service.users.service import UserService

log = structlog.get_logger(__name__)


class SessionBounds(NamedTuple):
    """How many sessions a user has, and how many refresh tokens a session gets, used ones included."""

    per_user: int
    tokens_each: int


class SessionService:
    """Login sessions: a session is a family of refresh tokens, and the access tokens got with them."""

    def __init__(
        self, session: AsyncSession, redis: Redis, issuer: TokenIssuer, bounds: SessionBounds
    ) -> None:
        self._session, self._issuer, self._bounds = session, issuer, bounds
        self._refresh_tokens = RefreshTokenRepository(session)
        self._users = UserService(session, EVERYTHING)
        self._revoker = Revoker(session, redis)

    async def start(self, login: AuthenticatedUser) -> TokenPair:
        """A new session of somebody who gave the right password; one unused for long may end for it."""
        user = await self._users.find(login.user_id)
        if user is None:
            raise WrongCredentials(login.limit)
        if login.password_hash is not None:
            user.password_hash = login.password_hash
        user.last_login_at = func.now()
        await self._refresh_tokens.lock_sessions_of(user.id)
        for session_id in await self._refresh_tokens.live_sessions_beyond(user.id, self._bounds.per_user - 1):
            await self._end_session(session_id, user, reason="too many sessions")
        return await self._issue(user, uuid7())

    async def refresh(self, token: str) -> TokenPair | Unauthorized:
        """The next pair for a refresh token.

        A token that was used before ends its whole session: somebody has a copy. The error is returned, not
        raised, because that end has to be committed.
        """
        hashed_token = token_hash(token)
        session_id = await self._refresh_tokens.session_of(hashed_token)
        if session_id is None:
            return _invalid()
        await self._refresh_tokens.lock_session(session_id)
        used = await self._refresh_tokens.use(hashed_token)
        if used is None:
            return await self._revoke_if_reused(hashed_token)
        user = await self._users.find(used.user_id)
        if user is None:
            return _invalid()
        if await self._refresh_tokens.count_tokens(session_id) >= self._bounds.tokens_each:
            await self._end_session(session_id, user, reason="refreshed too often")
            return _invalid()
        return await self._issue(user, used.session_id)

    async def logout(self, principal: Principal) -> None:
        """End the bearer's session; its tokens are refused everywhere within a second."""
        await self._refresh_tokens.end_session(UUID(principal.session_id))
        await self._revoker.revoke(
            organization_id=principal.organization_id,
            user_id=principal.user_id,
            sid=principal.session_id,
            jti=principal.token_id,
            reason="logout",
            expires_at=self._issuer.last_expiry(),
        )

    async def logout_by_refresh_token(self, token: str) -> None:
        """End the session of a refresh token; one that nobody knows has none."""
        known = await self._refresh_tokens.find(token_hash(token))
        user = await self._users.find(known.user_id) if known else None
        if known is not None and user is not None:
            await self._end_session(known.session_id, user, reason="logout")

    async def _revoke_if_reused(self, hashed_token: bytes) -> Unauthorized:
        known = await self._refresh_tokens.find(hashed_token)
        user = await self._users.find(known.user_id) if known else None
        if known is not None and user is not None and known.used_at is not None:
            log.warning("refresh token used twice, session ended", user_id=str(user.id))
            await self._end_session(known.session_id, user, reason="refresh token used twice")
        return _invalid()

    async def _end_session(self, session_id: UUID, user: User, *, reason: str) -> None:
        await self._refresh_tokens.end_session(session_id)
        await self._revoker.revoke(
            organization_id=user.organization_id,
            user_id=user.id,
            sid=str(session_id),
            jti=None,
            reason=reason,
            expires_at=self._issuer.last_expiry(),
        )

    async def _issue(self, user: User, session_id: UUID) -> TokenPair:
        refresh_token, row = self._issuer.refresh(user, session_id)
        await self._refresh_tokens.add(row)
        return TokenPair(
            access_token=self._issuer.access(user, session_id),
            refresh_token=refresh_token,
            expires_in=int(self._issuer.access_token_lifetime.total_seconds()),
        )


async def purge_refresh_tokens(session: AsyncSession) -> None:
    """Forget refresh tokens that nobody can use any more."""
    await RefreshTokenRepository(session).purge()


def _invalid() -> Unauthorized:
    return Unauthorized("the refresh token is not valid", code="REFRESH_TOKEN_INVALID")
