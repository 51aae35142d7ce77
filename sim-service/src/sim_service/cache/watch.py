"""Telling the cache of every commit that changed a SIM or a quota, before the commit returns.

So whoever changed something reads it anew, from whatever replica, as soon as they have their answer.
"""

from sqlalchemy import event, inspect
from sqlalchemy.orm import Session, UOWTransaction
from sqlalchemy.util import await_only

from fleet_kit.database import Sessions
from sim_service.cache.changes import Changes, changes_of, taken
from sim_service.cache.service import ReadCache
from sim_service.quotas.models import SimQuota
from sim_service.sims.models import Sim


def watch(sessions: Sessions, cache: ReadCache) -> None:
    """Have every session of these tell the cache."""

    class Watched(Session):
        """A session whose commits are told."""

    def tell(session: Session) -> None:
        if names := taken(session).names():
            await_only(cache.forget(names))

    event.listen(Watched, "after_flush", _note)
    event.listen(Watched, "after_commit", tell)
    event.listen(Watched, "after_rollback", taken)
    sessions.configure(sync_session_class=Watched)


def _note(session: Session, _: UOWTransaction) -> None:
    changes = changes_of(session)
    written = [entity for entity in session.dirty if session.is_modified(entity)]
    for entity in (*session.new, *written, *session.deleted):
        if isinstance(entity, Sim):
            _note_sim(changes, entity)
        elif isinstance(entity, SimQuota):
            changes.left.add(entity.iccid)


def _note_sim(changes: Changes, entity: Sim) -> None:
    changes.sims.add(entity.iccid)
    changes.owners.add(entity.organization_id)
    changes.owners.update(inspect(entity).attrs.organization_id.history.deleted or ())
