"""Queries on refresh tokens. Not scoped: the token itself is the proof."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from signing_service.auth.models import RefreshToken

AT_ONCE = 100
"""Sessions of a user that one login ends; where a setting was lowered, the next logins end the rest."""


class RefreshTokenRepository:
    """Refresh tokens by their hash or their session."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, token: RefreshToken) -> None:
        """Save a new one."""
        self._session.add(token)
        await self._session.flush()

    async def lock_session(self, session_id: UUID) -> None:
        """Let nobody else add to the session or end it before the commit.

        Without it, an end would miss the token that a concurrent refresh is about to save.
        """
        await self._lock(session_id)

    async def lock_sessions_of(self, user_id: UUID) -> None:
        """Let nobody else start a session of the user before the commit."""
        await self._lock(user_id)

    async def _lock(self, identifier: UUID) -> None:
        key = func.hashtextextended(str(identifier), 0)
        await self._session.execute(select(func.pg_advisory_xact_lock(key)))

    async def live_sessions_beyond(self, user_id: UUID, newest: int) -> Sequence[UUID]:
        """Sessions of the user without the `newest`, those used last; at most AT_ONCE of them."""
        query = (
            select(RefreshToken.session_id)
            .where(
                RefreshToken.user_id == user_id,
                RefreshToken.used_at.is_(None),
                RefreshToken.expires_at > func.now(),
            )
            .order_by(RefreshToken.id.desc())
            .offset(newest)
            .limit(AT_ONCE)
        )
        return (await self._session.scalars(query)).all()

    async def count_tokens(self, session_id: UUID) -> int:
        """How many tokens the session has, used or not."""
        query = select(func.count()).where(RefreshToken.session_id == session_id)
        return await self._session.scalar(query) or 0

    async def session_of(self, token_hash: bytes) -> UUID | None:
        """The session that the token belongs to."""
        query = select(RefreshToken.session_id).where(RefreshToken.token_hash == token_hash)
        return await self._session.scalar(query)

    async def use(self, token_hash: bytes) -> RefreshToken | None:
        """Mark the token as used if it is unused and unexpired."""
        statement = (
            update(RefreshToken)
            .where(
                RefreshToken.token_hash == token_hash,
                RefreshToken.used_at.is_(None),
                RefreshToken.expires_at > func.now(),
            )
            .values(used_at=func.now())
            .returning(RefreshToken)
        )
        return (await self._session.execute(statement)).scalar_one_or_none()

    async def find(self, token_hash: bytes) -> RefreshToken | None:
        """The token, used or not."""
        query = select(RefreshToken).where(RefreshToken.token_hash == token_hash)
        return (await self._session.execute(query)).scalar_one_or_none()

    async def end_session(self, session_id: UUID) -> None:
        """No token of the session can be used again: none is known any more."""
        await self.lock_session(session_id)
        await self._session.execute(delete(RefreshToken).where(RefreshToken.session_id == session_id))

    async def purge(self) -> None:
        """Forget tokens that expired more than a day ago."""
        old = RefreshToken.expires_at < func.now() - func.make_interval(0, 0, 0, 1)
        await self._session.execute(delete(RefreshToken).where(old))
