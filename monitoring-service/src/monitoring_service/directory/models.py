"""Documents of the directory, made from events such that an old event never overwrites a newer one."""

from datetime import datetime
from typing import Any

from pymongo import UpdateOne

from fleet_contracts.events import AlertData, DeviceData, DeviceRef, FleetEvent, SimData
from monitoring_service.store.client import Document
from monitoring_service.store.slots import slot_of

ALERT_STATES = {"alert.raised": "raised", "alert.acknowledged": "acknowledged", "alert.cleared": "cleared"}
OPEN_ALERTS = ["raised", "acknowledged"]


def device_document(event: FleetEvent, data: DeviceData) -> Document:
    """Directory entry of a device that exists."""
    return {
        "organization_id": str(event.organizationid),
        "slot": slot_of(str(data.id)),
        "name": data.name,
        "type": data.type,
        "iccid": data.iccid,
        "tags": list(data.tags),
        "version": data.version,
        "changed_at": event.time,
        "deleted": False,
    }


def deleted_document(event: FleetEvent, data: DeviceRef) -> Document:
    """What stays of a deleted device, so that a late event does not bring it back."""
    return {
        "organization_id": str(event.organizationid),
        "slot": slot_of(str(data.id)),
        "iccid": None,
        "version": data.version,
        "changed_at": event.time,
        "deleted": True,
    }


def sim_document(event: FleetEvent, data: SimData) -> Document:
    """Directory entry of a SIM."""
    return {
        "organization_id": str(event.organizationid),
        "label": data.label,
        "status": data.status,
        "device_id": str(data.device_id) if data.device_id else None,
        "changed_at": event.time,
    }


def alert_document(event: FleetEvent, data: AlertData) -> Document:
    """State of an alert."""
    return {
        "organization_id": str(event.organizationid),
        "state": ALERT_STATES[event.type],
        "severity": data.severity,
        "message": data.message,
        "device_id": str(data.device_id) if data.device_id else None,
        "iccid": data.iccid,
        "changed_at": event.time,
    }


def replace_if_newer(key: str, document: Document) -> UpdateOne:
    """Store the document unless a newer one, by version and then by the event's time, is there already."""
    newer = _is_newer(document["changed_at"], document.get("version"))
    new: dict[str, Any] = {"$literal": {"_id": key, **document}}
    return UpdateOne({"_id": key}, [{"$replaceWith": {"$cond": [newer, new, "$$ROOT"]}}], upsert=True)


def _is_newer(changed_at: datetime, version: int | None) -> Document:
    later: Document = {"$gte": [changed_at, {"$ifNull": ["$changed_at", changed_at]}]}
    if version is None:
        return later
    known = {"$ifNull": ["$version", -1]}
    return {"$or": [{"$gt": [version, known]}, {"$and": [{"$eq": [version, known]}, later]}]}
