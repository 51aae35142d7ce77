from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from device_service.device_events import events
from device_service.device_events.models import DeviceEvent
from device_service.device_events.repository import DeviceEventRepository
from device_service.device_events.schemas import EventIn
from device_service.devices.service import not_found
from fleet_kit.keyset_pagination import PageResult
from fleet_kit.outbox import Outbox
from fleet_kit.pagination import PageParams
from fleet_kit.scope import Scope


class DeviceEventService:
    """Stores and lists the events of one device."""

    def __init__(self, session: AsyncSession, scope: Scope, device_id: UUID) -> None:
        self._session, self._device_id = session, device_id
        self._events = DeviceEventRepository(session, scope, device_id)

    async def report(self, organization_id: UUID, data: EventIn) -> DeviceEvent:
        """Store the event and publish it; raises NotFound where the device is gone by now."""
        event = DeviceEvent(organization_id=organization_id, device_id=self._device_id, **data.model_dump())
        self._events.add(event)
        try:
            await self._session.flush()
        except IntegrityError as error:
            raise not_found() from error
        await Outbox(self._session).add(events.reported(event))
        return event

    async def page(self, event_type: str | None, paging: PageParams) -> PageResult[DeviceEvent]:
        """One page, newest first."""
        return await self._events.page(event_type, paging)
