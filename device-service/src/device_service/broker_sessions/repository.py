"""Queries on `t_session_ends`: the service's own book-keeping, so without scope."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from device_service.broker_sessions.models import SessionTermination


class SessionTerminationRepository:
    """Devices whose sessions have to end."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def put(self, device_id: UUID, now: datetime) -> None:
        """Note a device; noted again, it begins anew."""
        new = {"since": now, "due_at": now}
        statement = insert(SessionTermination).values(device_id=device_id, **new)
        await self._session.execute(
            statement.on_conflict_do_update(index_elements=[SessionTermination.device_id], set_=new)
        )

    async def due(self, now: datetime, limit: int) -> Sequence[SessionTermination]:
        """Those whose sessions are to be closed now; rows in other hands are left out."""
        statement = (
            select(SessionTermination)
            .where(SessionTermination.due_at <= now)
            .order_by(SessionTermination.due_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        return (await self._session.scalars(statement)).all()

    async def reschedule(self, device_id: UUID, due_at: datetime) -> None:
        """Close its sessions once more, later."""
        await self._session.execute(
            update(SessionTermination).where(SessionTermination.device_id == device_id).values(due_at=due_at)
        )

    async def delete(self, device_id: UUID) -> None:
        """No session that the old key opened can be open any more."""
        await self._session.execute(
            delete(SessionTermination).where(SessionTermination.device_id == device_id)
        )
