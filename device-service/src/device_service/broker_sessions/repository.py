"""Queries on `t_session_ends`: the service's own book-keeping, so without scope."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, and_, delete, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from device_service.broker_sessions.models import SessionTermination
from fleet_kit.rows_in_turn import owners_of

_OWNERS = owners_of("t_session_ends", text("organization_id >= :start"))
_NEXT = text(f"""
WITH RECURSIVE {_OWNERS}
SELECT owner FROM owners
WHERE owner <> ALL(:busy) AND :now >= LEAST(
    (SELECT due_at FROM t_session_ends AS first
     WHERE first.organization_id = owners.owner AND NOT closed_once ORDER BY due_at LIMIT 1),
    (SELECT due_at FROM t_session_ends AS again
     WHERE again.organization_id = owners.owner AND closed_once ORDER BY due_at LIMIT 1)
)
LIMIT 1
""")  # noqa: S608 - made of our own names
"""Goes from organisation to organisation along the index, so that the rows of each cost nothing.

Written so that Postgres does so without statistics, which are never true of a table that fills and empties.
"""


@dataclass(frozen=True, slots=True)
class Claim:
    """A device that is in our hands until then, unless it is noted anew."""

    device_id: UUID
    since: datetime
    until: datetime


class SessionTerminationRepository:
    """Devices whose sessions have to end."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def put(self, device_id: UUID, organization_id: UUID, now: datetime) -> None:
        """Note a device; noted again, it begins anew, whoever has it in hand."""
        new = {"organization_id": organization_id, "since": now, "due_at": now, "closed_once": False}
        statement = insert(SessionTermination).values(device_id=device_id, **new)
        await self._session.execute(
            statement.on_conflict_do_update(index_elements=[SessionTermination.device_id], set_=new)
        )

    async def next_organization(self, start: UUID, busy: Collection[UUID], now: datetime) -> UUID | None:
        """The first one from `start` on, by id, that has something due and is not among the busy ones."""
        found: UUID | None = await self._session.scalar(
            _NEXT, {"start": start, "busy": list(busy), "now": now}
        )
        return found

    async def claim(self, organization_id: UUID, now: datetime, until: datetime, limit: int) -> list[Claim]:
        """Some of its devices that are due, first closings before second ones."""
        claims: list[Claim] = []
        for closed_once in (False, True):
            statement = (
                select(SessionTermination.device_id, SessionTermination.since)
                .where(
                    SessionTermination.organization_id == organization_id,
                    SessionTermination.closed_once.is_(closed_once),
                    SessionTermination.due_at <= now,
                )
                .order_by(SessionTermination.due_at)
                .limit(limit - len(claims))
                .with_for_update(skip_locked=True)
            )
            rows = await self._session.execute(statement)
            claims += [Claim(row.device_id, row.since, until) for row in rows]
        await self._session.execute(
            update(SessionTermination)
            .where(SessionTermination.device_id.in_([claim.device_id for claim in claims]))
            .values(due_at=until)
        )
        return claims

    async def close_again(self, claims: Sequence[Claim], after: timedelta) -> None:
        """They were closed, and are once more that long after the key was lost."""
        await self._session.execute(
            update(SessionTermination)
            .where(_held(claims))
            .values(closed_once=True, due_at=SessionTermination.since + after)
        )

    async def reschedule(self, claims: Sequence[Claim], due_at: datetime) -> None:
        """They could not be closed."""
        await self._session.execute(update(SessionTermination).where(_held(claims)).values(due_at=due_at))

    async def delete(self, claims: Sequence[Claim]) -> None:
        """No session that the old key opened can be open any more."""
        await self._session.execute(delete(SessionTermination).where(_held(claims)))


def _held(claims: Sequence[Claim]) -> ColumnElement[bool]:
    """Not noted anew in the meantime, nor in other hands."""
    return and_(
        SessionTermination.device_id.in_([claim.device_id for claim in claims]),
        SessionTermination.due_at.in_({claim.until for claim in claims}),
    )
