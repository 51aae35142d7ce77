"""What a transaction changed, as tags: collected in its session, invalidated before its commit returns.

So whoever changed something reads it anew, from any replica, as soon as they have their answer.
"""

from collections.abc import Iterable
from typing import Protocol, runtime_checkable

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session, UOWTransaction
from sqlalchemy.util import await_only

from fleet_kit.database import Sessions
from sim_service.platform.cache.store import CacheStore

_TAGS = "cache_tags"
"""Where a session keeps the tags that its transaction has changed."""


@runtime_checkable
class CacheTagged(Protocol):
    """An entity that cached answers show: writing it invalidates its tags, nobody has to think of it."""

    def cache_tags(self) -> Iterable[str]: ...


def invalidate(session: AsyncSession, *tags: str) -> None:
    """Invalidate answers with these tags at the commit: for statements that write rows without entities."""
    session.info.setdefault(_TAGS, set()).update(tags)


def invalidate_on_commit(sessions: Sessions, store: CacheStore) -> None:
    class InvalidatingSession(Session):
        pass

    def committed(session: Session) -> None:
        if session.in_nested_transaction():
            return  # a savepoint: the outer transaction may still be rolled back
        if tags := session.info.pop(_TAGS, None):
            await_only(store.invalidate(tags))

    event.listen(InvalidatingSession, "after_flush", _collect)
    event.listen(InvalidatingSession, "after_commit", committed)
    event.listen(InvalidatingSession, "after_rollback", lambda session: session.info.pop(_TAGS, None))
    sessions.configure(sync_session_class=InvalidatingSession)


def _collect(session: Session, _: UOWTransaction) -> None:
    changed = (entity for entity in session.dirty if session.is_modified(entity))
    for entity in (*session.new, *changed, *session.deleted):
        if isinstance(entity, CacheTagged):
            session.info.setdefault(_TAGS, set()).update(entity.cache_tags())
