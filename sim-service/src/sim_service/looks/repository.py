"""Queries on `carrier_looks`."""

from datetime import UTC, datetime

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from sim_service.looks.models import CarrierLook, LookedAt


class LookRepository:
    """Looks at the account's lists; they belong to no organisation."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def last(self, name: LookedAt) -> datetime | None:
        """When the list was last read."""
        statement = select(CarrierLook.looked_at).where(CarrierLook.name == name)
        return (await self._session.execute(statement)).scalar_one_or_none()

    async def alone(self, name: LookedAt) -> None:
        """Be the only one that writes what a list tells, until the commit."""
        await self._session.execute(select(func.pg_advisory_xact_lock(func.hashtext(f"looks/{name}"))))

    async def note(self, name: LookedAt) -> None:
        """The list has just been read."""
        now = datetime.now(UTC)
        statement = insert(CarrierLook).values(name=name, looked_at=now)
        await self._session.execute(
            statement.on_conflict_do_update(index_elements=["name"], set_={"looked_at": now})
        )
