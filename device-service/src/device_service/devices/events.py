from device_service.base import SOURCE
from device_service.devices.models import Device
from fleet_contracts.events import DeviceData, DeviceDeleted, DeviceRef, DeviceRegistered, DeviceUpdated


def registered(device: Device) -> DeviceRegistered:
    """The device was created."""
    return DeviceRegistered(
        source=SOURCE, subject=str(device.id), organizationid=device.organization_id, data=_data(device)
    )


def updated(device: Device) -> DeviceUpdated:
    """Facts or configuration of the device changed."""
    return DeviceUpdated(
        source=SOURCE, subject=str(device.id), organizationid=device.organization_id, data=_data(device)
    )


def deleted(device: Device) -> DeviceDeleted:
    """The device is gone; its last version is one more than the last change."""
    return DeviceDeleted(
        source=SOURCE,
        subject=str(device.id),
        organizationid=device.organization_id,
        data=DeviceRef(id=device.id, version=device.version + 1),
    )


def _data(device: Device) -> DeviceData:
    return DeviceData(
        id=device.id,
        name=device.name,
        type=device.type,
        iccid=device.iccid,
        tags=list(device.tags),
        version=device.version,
    )
