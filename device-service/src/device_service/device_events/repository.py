from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from device_service.device_events.models import DeviceEvent
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
