from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert

from sim_service.inventory.devices.models import DeviceFacts
from sim_service.platform.scoped_repository import ScopedRepository


class DeviceRepository(ScopedRepository):
    async def get(self, device_id: UUID) -> DeviceFacts | None:
        return await self._one(
            self._owned(DeviceFacts).where(DeviceFacts.id == device_id, DeviceFacts.deleted_at.is_(None))
        )

    async def locked(self, device_id: UUID) -> DeviceFacts | None:
        """One device, deleted ones included, locked until the commit."""
        return await self._one(self._owned(DeviceFacts).where(DeviceFacts.id == device_id).with_for_update())

    async def locked_all(self, device_ids: Collection[UUID]) -> Sequence[DeviceFacts]:
        """Those of the devices that are known, locked in the one order that everybody uses."""
        return await self._all(
            self._owned(DeviceFacts)
            .where(DeviceFacts.id.in_(device_ids))
            .order_by(DeviceFacts.id)
            .with_for_update()
        )

    async def insert(self, facts: DeviceFacts) -> bool:
        """Add a device; False if another transaction added it first."""
        values = {column.key: getattr(facts, column.key) for column in DeviceFacts.__table__.columns}
        statement = insert(DeviceFacts).values(**values).on_conflict_do_nothing().returning(DeviceFacts.id)
        return (await self._session.execute(statement)).scalar_one_or_none() is not None

    async def with_iccids(self, iccids: Collection[str]) -> Sequence[DeviceFacts]:
        """Living devices that say they hold one of these SIMs, locked, the longest known first."""
        return await self._all(
            self._owned(DeviceFacts)
            .where(DeviceFacts.iccid.in_(iccids), DeviceFacts.deleted_at.is_(None))
            .order_by(DeviceFacts.id)
            .with_for_update()
        )
