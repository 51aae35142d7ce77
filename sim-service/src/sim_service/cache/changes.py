"""What a transaction changed that somebody may have read: noted in its session, told after its commit.

Changes of SIMs and quotas made through their entities are noted by themselves (watch.py); statements that
write rows past the entities say so here.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

_INFO = "read_cache_changes"
MOST_SIMS = 500
"""Above this many SIMs in one transaction everything is read anew, which costs less than naming them."""

EVERYTHING, ALL_USAGE = "all", "usage"


def lists_of(organization_id: UUID | None) -> str:
    """What stands for the lists of an organisation; None: those of the platform administrator."""
    return f"lists:{organization_id or '*'}"


def sim(iccid: str) -> str:
    """What stands for one SIM."""
    return f"sim:{iccid}"


def usage(iccid: str) -> str:
    """What stands for the usage of one SIM."""
    return f"usage:{iccid}"


def quotas(iccid: str) -> str:
    """What stands for the quotas of one SIM."""
    return f"quotas:{iccid}"


@dataclass
class Changes:
    """SIMs whose facts changed, the organisations that list them, SIMs whose usage or quotas changed."""

    sims: set[str] = field(default_factory=set)
    owners: set[UUID | None] = field(default_factory=set)
    used: set[str] = field(default_factory=set)
    left: set[str] = field(default_factory=set)
    everything: bool = False

    def names(self) -> set[str]:
        """What is to be read anew."""
        if self.everything or len(self.sims) > MOST_SIMS:
            return {EVERYTHING}
        found = {sim(iccid) for iccid in self.sims}
        if self.owners:
            found |= {lists_of(owner) for owner in (*self.owners, None)}
        found |= {quotas(iccid) for iccid in self.left}
        return found | ({ALL_USAGE} if len(self.used) > MOST_SIMS else {usage(iccid) for iccid in self.used})


def changes_of(session: Session) -> Changes:
    """The changes of a session's transaction so far."""
    changes: Changes = session.info.setdefault(_INFO, Changes())
    return changes


def taken(session: Session) -> Changes:
    """The changes, forgotten by the session."""
    changes: Changes = session.info.pop(_INFO, Changes())
    return changes


def sims_changed(session: AsyncSession, iccids: Iterable[str], owner: UUID | None) -> None:
    """Rows of an owner's SIMs were written past their entities."""
    if found := set(iccids):
        changes = changes_of(session.sync_session)
        changes.sims |= found
        changes.owners.add(owner)


def usage_changed(session: AsyncSession, iccids: Iterable[str]) -> None:
    """Usage of SIMs was written."""
    changes_of(session.sync_session).used.update(iccids)


def everything_changed(session: AsyncSession) -> None:
    """Many SIMs were written by one statement."""
    changes_of(session.sync_session).everything = True
