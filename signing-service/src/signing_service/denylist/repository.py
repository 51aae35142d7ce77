from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Row, delete, exists, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from signing_service.denylist.models import RevokedToken


class DenylistRepository:
    """Not scoped: whether a token was revoked is asked before anybody is known."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, *tokens: RevokedToken) -> None:
        """Revoke; what is revoked already stays as it is."""
        rows = [
            {
                "identifier": token.identifier,
                "kind": token.kind,
                "organization_id": token.organization_id,
                "user_id": token.user_id,
                "reason": token.reason,
                "expires_at": token.expires_at,
            }
            for token in tokens
        ]
        await self._session.execute(insert(RevokedToken).values(rows).on_conflict_do_nothing())

    async def contains_any(self, *identifiers: str) -> bool:
        """Whether any of them is revoked."""
        found = select(exists().where(RevokedToken.identifier.in_(identifiers)))
        return bool(await self._session.scalar(found))

    async def unexpired(self, *, newer_than: timedelta | None = None) -> Sequence[Row[str, datetime]]:
        """(identifier, expires_at) of what still matters, all of it or only what came lately."""
        query = select(RevokedToken.identifier, RevokedToken.expires_at).where(
            RevokedToken.expires_at > func.now()
        )
        if newer_than is not None:
            query = query.where(RevokedToken.created_at > func.now() - newer_than)
        return (await self._session.execute(query)).all()

    async def purge(self) -> int:
        """Forget what has expired; the number of rows removed."""
        gone = delete(RevokedToken).where(RevokedToken.expires_at < func.now())
        return len((await self._session.execute(gone.returning(RevokedToken.identifier))).all())
