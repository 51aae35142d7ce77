from collections import Counter
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, literal, select
from sqlalchemy.ext.asyncio import AsyncSession

from device_service.device_events.models import DeviceEvent
from fleet_kit.ids import first_uuid7
from fleet_kit.keyset_pagination import PageResult, SortOrder, find_page
from fleet_kit.pagination import PageParams
from fleet_kit.scope import Scope

# Ids are made in the order of time.
_NEWEST = SortOrder("-id", DeviceEvent.id, DeviceEvent.id)


class DeviceEventRepository:
    """Queries of one device's events inside one scope."""

    def __init__(self, session: AsyncSession, scope: Scope, device_id: UUID) -> None:
        self._session, self._scope, self._device_id = session, scope, device_id

    def add(self, event: DeviceEvent) -> None:
        """Insert at the next flush."""
        self._session.add(event)

    async def page(self, event_type: str | None, paging: PageParams) -> PageResult[DeviceEvent]:
        """One page, newest first."""
        statement = select(DeviceEvent).where(*self._conditions(event_type))
        return await find_page(self._session, statement, _NEWEST, paging)

    def _conditions(self, event_type: str | None) -> list[ColumnElement[bool]]:
        conditions = [
            DeviceEvent.device_id == self._device_id,
            self._scope.where(DeviceEvent.organization_id),
        ]
        return conditions if event_type is None else [*conditions, DeviceEvent.event_type == event_type]


async def delete_events_of(session: AsyncSession, device_id: UUID) -> int:
    """Delete all events of a device, which the caller has locked; how many went."""
    gone = delete(DeviceEvent).where(DeviceEvent.device_id == device_id).returning(literal(1)).cte()
    return await session.scalar(select(func.count()).select_from(gone)) or 0


async def delete_older_than(session: AsyncSession, before: datetime, limit: int) -> Counter[UUID]:
    """Delete at most `limit` events that were reported before a moment; how many of each organisation went.

    Ids are made in the order of time, so the primary key finds them. Whose device is just being deleted is
    passed over: waiting for it could end in a deadlock.
    """
    old = select(DeviceEvent.id).where(DeviceEvent.id < first_uuid7(before)).order_by(DeviceEvent.id)
    some = old.limit(limit).with_for_update(skip_locked=True)
    statement = delete(DeviceEvent).where(DeviceEvent.id.in_(some)).returning(DeviceEvent.organization_id)
    return Counter((await session.scalars(statement)).all())
