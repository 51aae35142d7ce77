from device_service.base import SOURCE
from device_service.device_events.models import DeviceEvent
from fleet_contracts.events import DeviceEventData, DeviceEventReported


def reported(event: DeviceEvent) -> DeviceEventReported:
    """A device reported an event of its own."""
    return DeviceEventReported(
        source=SOURCE,
        subject=str(event.device_id),
        organizationid=event.organization_id,
        data=DeviceEventData(
            id=event.id, device_id=event.device_id, event_type=event.event_type, payload=event.payload
        ),
    )
