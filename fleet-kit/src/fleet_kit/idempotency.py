"""Idempotency-Key: a POST that is repeated with the same key is done once.

The key is claimed in the transaction of the change itself, so both commit or neither does. A concurrent
repetition waits for the first and then sees its answer. So it does where the answer is replaced, because what
the first request made has failed: of several retries one is made, and the others see what that one made.
"""

import hashlib
import secrets
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import Depends, Header, Request
from sqlalchemy import Column, ColumnElement, DateTime, MetaData, Table, Text, func, select, tuple_
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.database import DbSession, Sessions
from fleet_kit.errors import Conflict, Unavailable
from fleet_kit.openapi import raises

TABLE = "t_idempotency_keys"
RETENTION = timedelta(hours=24)
"""A request may be repeated with its key for so long, where the service has no setting for it."""
KEYS_OF_AN_OWNER = 100_000
"""Of more the oldest are forgotten."""
_FORGET_EVERY = 1_000
"""One of so many new keys looks whether there are too many: sorting them costs tenths of a second."""
_CLAIMS = 3
"""A claim that meets a key which is deleted before it is read is made so often."""
_BATCH_ROWS = 5_000


def idempotency_table(metadata: MetaData) -> Table:
    """The table `t_idempotency_keys`, for a service's metadata and its migrations."""
    return Table(
        TABLE,
        metadata,
        Column("owner", Text, primary_key=True),
        Column("key", Text, primary_key=True),
        Column("fingerprint", Text, nullable=False),
        Column("body", JSONB),
        Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now(), index=True),
    )


_table = idempotency_table(MetaData())


class Idempotency:
    """The request's key, or nothing where it has none."""

    def __init__(self, session: AsyncSession, key: str | None, fingerprint: str) -> None:
        self._session, self._key, self._fingerprint = session, key, fingerprint

    async def replay(self, owner: str) -> Any | None:
        """The body that the first request with this key was answered with, None if this is the first.

        `owner`: whose key it is, mostly the organisation; keys of different owners do not meet. Raises
        Conflict when the key was used for another request, Unavailable when it is deleted at every look.
        """
        if self._key is None:
            return None
        claim = upsert(_table).values(owner=owner, key=self._key, fingerprint=self._fingerprint)
        claim = claim.on_conflict_do_nothing()
        for _ in range(_CLAIMS):
            if (await self._session.execute(claim.returning(_table.c.key))).one_or_none() is not None:
                if secrets.randbelow(_FORGET_EVERY) == 0:
                    await self._forget_oldest(owner)
                return None
            known = select(_table).where(*self._own(owner)).with_for_update()
            row = (await self._session.execute(known)).one_or_none()
            if row is None:  # deleted since the claim met it, because it was too old or one too many
                continue
            if row.fingerprint != self._fingerprint:
                raise Conflict(
                    "this Idempotency-Key was used for another request", code="IDEMPOTENCY_KEY_REUSED"
                )
            return row.body
        raise Unavailable("this Idempotency-Key is being forgotten", retry_after=1)

    def _own(self, owner: str) -> tuple[ColumnElement[bool], ...]:
        return _table.c.owner == owner, _table.c.key == self._key

    async def _forget_oldest(self, owner: str) -> None:
        """Delete all but the youngest keys, and leave those that another request is deleting."""
        owned = select(_table.c.key).where(_table.c.owner == owner)
        # In a select of its own: FOR UPDATE would also lock the rows that OFFSET passes over.
        old = owned.order_by(_table.c.created_at.desc()).offset(KEYS_OF_AN_OWNER)
        free = owned.where(_table.c.key.in_(old), _table.c.key != self._key)
        free = free.with_for_update(skip_locked=True)
        await self._session.execute(_table.delete().where(_table.c.owner == owner, _table.c.key.in_(free)))

    async def remember(self, owner: str, body: Any) -> None:
        """Keep the answer, or better the id of what was made. Leave secrets out, and what can be large."""
        if self._key is not None:
            await self._session.execute(_table.update().where(*self._own(owner)).values(body=body))


async def delete_expired(sessions: Sessions) -> None:
    """Delete all keys older than RETENTION, a batch a transaction."""
    deleted = _BATCH_ROWS
    while deleted == _BATCH_ROWS:
        async with sessions.begin() as session:
            deleted = await delete_older_than(session, datetime.now(UTC) - RETENTION, _BATCH_ROWS)


async def delete_older_than(session: AsyncSession, before: datetime, limit: int) -> int:
    """Delete at most `limit` keys that were used before a moment; how many went.

    A request that is repeated later with such a key is a new one.
    """
    old = select(_table.c.owner, _table.c.key).where(_table.c.created_at < before)
    old = old.order_by(_table.c.created_at).limit(limit)
    statement = _table.delete().where(tuple_(_table.c.owner, _table.c.key).in_(old))
    return len((await session.execute(statement.returning(_table.c.key))).all())


async def fingerprint(request: Request) -> str:
    """Distinguishes a request from others that carry the same key."""
    content = request.method.encode() + request.url.path.encode() + await request.body()
    return hashlib.sha256(content).hexdigest()


@raises(Conflict)
async def _idempotency(
    request: Request,
    session: DbSession,
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=200)] = None,
) -> Idempotency:
    return Idempotency(session, idempotency_key, await fingerprint(request))


IdempotencyKey = Annotated[Idempotency, Depends(_idempotency)]
