from device_service.base import SOURCE
from device_service.presence.repository import DevicePresence
from fleet_contracts.events import DeviceStatusChanged, DeviceStatusData


def status_changed(seen: DevicePresence) -> DeviceStatusChanged:
    """The device came online or went offline."""
    return DeviceStatusChanged(
        source=SOURCE,
        subject=str(seen.device_id),
        organizationid=seen.organization_id,
        data=DeviceStatusData(
            id=seen.device_id, status="online" if seen.is_online else "offline", last_seen=seen.last_seen
        ),
    )
