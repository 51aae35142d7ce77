"""Queries on refresh tokens. Not scoped: the token itself is the proof."""

from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from signing_service.sessions.models import RefreshToken


class RefreshTokenRepository:
    """Refresh tokens by their hash or their session."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, token: RefreshToken) -> None:
        """Save a new one."""
        self._session.add(token)
        await self._session.flush()

    async def use(self, token_hash: bytes) -> RefreshToken | None:
        """Mark the token as used if it is unused and unexpired; of two who try at once one gets it."""
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
        """No token of the session can be used again."""
        statement = update(RefreshToken).where(
            RefreshToken.session_id == session_id, RefreshToken.used_at.is_(None)
        )
        await self._session.execute(statement.values(used_at=func.now()))

    async def purge(self) -> None:
        """Forget tokens that expired more than a day ago."""
        old = RefreshToken.expires_at < func.now() - func.make_interval(0, 0, 0, 1)
        await self._session.execute(delete(RefreshToken).where(old))
