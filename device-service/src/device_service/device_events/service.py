from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from device_service.device_events import events
from device_service.device_events.models import DEVICE_EVENTS, DeviceEvent
from device_service.device_events.repository import DeviceEventRepository, delete_events_of, delete_older_than
from device_service.device_events.schemas import EventIn
from device_service.devices.service import not_found
from fleet_kit.database import Sessions
from fleet_kit.keyset_pagination import PageResult
from fleet_kit.limits import Limits
from fleet_kit.outbox import Outbox
from fleet_kit.pagination import PageParams
from fleet_kit.scope import Scope

SWEEP_ROWS = 5_000
"""Events deleted in one transaction."""


class DeviceEventService:
    """Stores and lists the events of one device."""

    def __init__(self, session: AsyncSession, scope: Scope, device_id: UUID) -> None:
        self._session, self._device_id = session, device_id
        self._events = DeviceEventRepository(session, scope, device_id)

    async def report(self, organization_id: UUID, data: EventIn, limits: Limits) -> DeviceEvent:
        """Store the event and publish it; raises NotFound where the device is gone by now, or Conflict."""
        event = DeviceEvent(organization_id=organization_id, device_id=self._device_id, **data.model_dump())
        self._events.add(event)
        try:
            await self._session.flush()
        except IntegrityError as error:
            raise not_found() from error
        await Outbox(self._session).add(events.reported(event))
        # Last: until the commit, other events of the organisation wait for the count.
        await limits.take(organization_id, DEVICE_EVENTS)
        return event

    async def page(self, event_type: str | None, paging: PageParams) -> PageResult[DeviceEvent]:
        """One page, newest first."""
        return await self._events.page(event_type, paging)


async def delete_with_device(session: AsyncSession, device_id: UUID) -> int:
    """Delete all events of a device that is being deleted; how many went."""
    return await delete_events_of(session, device_id)


class EventRetention:
    """Deletes events that are older than `kept`, and counts them no more."""

    def __init__(self, sessions: Sessions, kept: timedelta) -> None:
        self._sessions, self._kept = sessions, kept

    async def sweep(self) -> int:
        """Delete all that are old, a bounded number a transaction; how many went."""
        total, deleted = 0, SWEEP_ROWS
        while deleted == SWEEP_ROWS:
            deleted = await self._delete_some()
            total += deleted
        return total

    async def _delete_some(self) -> int:
        async with self._sessions.begin() as session:
            of = await delete_older_than(session, datetime.now(UTC) - self._kept, SWEEP_ROWS)
            limits = Limits(session, {})
            for organization_id in sorted(of):  # in one order, or two workers deadlock
                await limits.give_back(organization_id, DEVICE_EVENTS, of[organization_id])
            return of.total()
