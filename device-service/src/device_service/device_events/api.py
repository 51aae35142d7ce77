from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, status

from device_service.device_events.access import EventReporter
from device_service.device_events.schemas import AcceptedEventOut, EventIn, EventOut
from device_service.device_events.service import DeviceEventService
from device_service.devices.access import DeviceLimits, Devices
from fleet_kit.database import DbSession
from fleet_kit.errors import Conflict
from fleet_kit.idempotency import IdempotencyKey
from fleet_kit.openapi import raises
from fleet_kit.pagination import Page, Paging
from fleet_kit.principal import CurrentUser
from fleet_kit.schemas import Text
from fleet_kit.scope import Scope

router = APIRouter(prefix="/devices/{device_id}/events", tags=["events"])


@router.post("", status_code=status.HTTP_202_ACCEPTED)
@raises(Conflict)
async def report_event(
    data: EventIn,
    reporter: EventReporter,
    session: DbSession,
    idempotency: IdempotencyKey,
    limits: DeviceLimits,
) -> AcceptedEventOut:
    """Report an event, with the device's own key or an operator's token."""
    # A device's key is its own: devices count, and two of them may be at the same number.
    owner = f"device:{reporter.device_id}" if reporter.is_device else str(reporter.organization_id)
    before = await idempotency.replay(owner)
    if before is not None:
        return AcceptedEventOut(id=before)
    service = DeviceEventService(session, Scope(reporter.organization_id), reporter.device_id)
    event = await service.report(reporter.organization_id, data, limits)
    await idempotency.remember(owner, str(event.id))
    return AcceptedEventOut(id=event.id)


@router.get("")
async def list_events(
    *,
    device_id: UUID,
    devices: Devices,
    session: DbSession,
    principal: CurrentUser,
    paging: Paging,
    event_type: Annotated[Text | None, Query(max_length=64)] = None,
) -> Page[EventOut]:
    """Events of the device, newest first."""
    device = await devices.get(device_id)
    service = DeviceEventService(session, principal.scope, device.id)
    return (await service.page(event_type, paging)).to_page(EventOut.model_validate, paging)
