"""Rules of revocation: Postgres is the truth, Redis the fast copy, `token.revoked` tells everyone."""

from datetime import datetime, timedelta
from uuid import UUID, uuid4

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.database import Sessions
from fleet_kit.outbox import Outbox
from fleet_kit.token_denylist import READY_KEY, entry_key
from signing_service.denylist import events
from signing_service.denylist.models import RevokedToken
from signing_service.denylist.repository import DenylistRepository

log = structlog.get_logger(__name__)
READY_SECONDS = 5
"""Life of the key that says that Redis is complete; several rounds of the worker may fail before it ends."""
COPY_SECONDS = 60
"""Longest time that a copy of everything may take."""
CHUNK = 1000
OVERLAP = timedelta(minutes=5)
"""A round looks back this far, so that a revocation whose transaction was slow is not missed."""


class DatabaseDenylist:
    """Asks the database. See fleet_kit.token_denylist.Denylist."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def is_revoked(self, jti: str, sid: str) -> bool:
        """Whether the token or its session was revoked."""
        async with self._sessions() as session:
            return await is_revoked(session, jti, sid)


async def is_revoked(session: AsyncSession, jti: str, sid: str) -> bool:
    """The truth about one token."""
    return await DenylistRepository(session).contains_any(jti, sid)


class Revoker:
    """Revokes in the session's transaction."""

    def __init__(self, session: AsyncSession, redis: Redis) -> None:
        self._session, self._redis = session, redis

    async def revoke(
        self,
        *,
        organization_id: UUID,
        user_id: UUID,
        sid: str,
        jti: str | None,
        reason: str,
        expires_at: datetime,
    ) -> None:
        """Refuse a session, and the token that asked for it, everywhere; once is enough.

        Redis is written before the commit: should that fail, a token that its owner gave up is refused early.
        """
        if await DenylistRepository(self._session).contains_any(sid):
            return
        pairs = [("sid", sid), *([("jti", jti)] if jti else [])]
        tokens = [
            RevokedToken(
                identifier=identifier,
                kind=kind,
                organization_id=organization_id,
                user_id=user_id,
                reason=reason,
                expires_at=expires_at,
            )
            for kind, identifier in pairs
        ]
        await DenylistRepository(self._session).add(*tokens)
        await Outbox(self._session).add(
            events.revoked(organization_id, jti=jti, sid=sid, expires_at=expires_at)
        )
        try:
            await write_entries(self._redis, [(identifier, expires_at) for _, identifier in pairs])
        except (RedisError, OSError, TimeoutError) as error:
            log.warning("Redis is unavailable; the worker copies the revocation later", error=repr(error))


class DenylistReplicator:
    """A job of the worker: keeps the copy in Redis complete, and says so only while it is."""

    def __init__(self, sessions: Sessions, redis: Redis) -> None:
        self._sessions, self._redis = sessions, redis
        self._marker = f"denylist:copying:{uuid4()}"
        self._complete = False

    async def refresh(self) -> None:
        """One round: what came lately, or all where Redis may have lost something. Raises RedisError."""
        was_complete, self._complete = self._complete, False
        if not (was_complete and await self._add_recent()):
            await self._copy_all()
        self._complete = True

    async def _add_recent(self) -> bool:
        """False if Redis has lost the ready key, and so maybe more."""
        await self._copy(OVERLAP)
        return bool(await self._redis.set(READY_KEY, "1", ex=READY_SECONDS, xx=True))

    async def _copy_all(self) -> None:
        """Redis is called ready by renaming a marker set before: if it was emptied meanwhile, that fails."""
        await self._redis.set(self._marker, "1", ex=COPY_SECONDS)
        await self._copy(None)
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.rename(self._marker, READY_KEY)
            pipe.expire(READY_KEY, READY_SECONDS)
            await pipe.execute()

    async def _copy(self, newer_than: timedelta | None) -> None:
        async with self._sessions() as session:
            rows = await DenylistRepository(session).unexpired(newer_than=newer_than)
        await write_entries(self._redis, [(row.identifier, row.expires_at) for row in rows])

    async def purge(self) -> None:
        """Forget tokens that have expired anyway."""
        async with self._sessions() as session, session.begin():
            await DenylistRepository(session).purge()


async def write_entries(redis: Redis, entries: list[tuple[str, datetime]]) -> None:
    """Write entries that end by themselves; raises RedisError."""
    for start in range(0, len(entries), CHUNK):
        async with redis.pipeline(transaction=False) as pipe:
            for identifier, expires_at in entries[start : start + CHUNK]:
                pipe.set(entry_key(identifier), "1", exat=int(expires_at.timestamp()) + 1)
            await pipe.execute()
