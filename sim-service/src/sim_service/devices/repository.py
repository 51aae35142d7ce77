"""Queries on `device_facts`."""

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.scope import Scope
from sim_service.devices.models import DeviceFacts


class DeviceRepository:
    """Device facts of one organisation, or of all with EVERYTHING."""

    def __init__(self, session: AsyncSession, scope: Scope) -> None:
        self._session, self._scope = session, scope

    async def get(self, device_id: UUID) -> DeviceFacts | None:
        """One device that exists."""
        statement = select(DeviceFacts).where(
            self._scope.where(DeviceFacts.organization_id),
            DeviceFacts.id == device_id,
            DeviceFacts.deleted_at.is_(None),
        )
        return (await self._session.execute(statement)).scalar_one_or_none()

    async def locked(self, device_id: UUID) -> DeviceFacts | None:
        """One device, deleted ones included, locked until the commit."""
        statement = (
            select(DeviceFacts)
            .where(self._scope.where(DeviceFacts.organization_id), DeviceFacts.id == device_id)
            .with_for_update()
        )
        return (await self._session.execute(statement)).scalar_one_or_none()

    async def locked_all(self, device_ids: Collection[UUID]) -> Sequence[DeviceFacts]:
        """Those of the devices that are known, locked in the one order that everybody uses."""
        statement = (
            select(DeviceFacts)
            .where(self._scope.where(DeviceFacts.organization_id), DeviceFacts.id.in_(device_ids))
            .order_by(DeviceFacts.id)
            .with_for_update()
        )
        return (await self._session.execute(statement)).scalars().all()

    async def insert(self, facts: DeviceFacts) -> bool:
        """Add a device; False if another transaction added it first."""
        values = {column.key: getattr(facts, column.key) for column in DeviceFacts.__table__.columns}
        statement = insert(DeviceFacts).values(**values).on_conflict_do_nothing().returning(DeviceFacts.id)
        return (await self._session.execute(statement)).scalar_one_or_none() is not None

    async def naming(self, iccids: Collection[str]) -> Sequence[DeviceFacts]:
        """Devices that say they hold one of these SIMs, locked, the longest known first."""
        statement = (
            select(DeviceFacts)
            .where(
                self._scope.where(DeviceFacts.organization_id),
                DeviceFacts.iccid.in_(iccids),
                DeviceFacts.deleted_at.is_(None),
            )
            .order_by(DeviceFacts.id)
            .with_for_update()
        )
        return (await self._session.execute(statement)).scalars().all()
