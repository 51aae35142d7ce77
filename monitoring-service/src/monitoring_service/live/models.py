"""Documents and items of the live feed."""

from datetime import datetime
from typing import Any

from fleet_contracts.events import FleetEvent
from fleet_contracts.telemetry import format_ts
from monitoring_service.store.client import Document

KINDS = ("device", "sim", "alert")
"""First words of event types that reach live clients, which are also the names under which they are sent."""

Item = dict[str, Any]


def kind_of(event: FleetEvent) -> str | None:
    """The name under which live clients get the event, None where they do not."""
    kind = event.type.split(".", 1)[0]
    return kind if kind in KINDS else None


def event_document(event: FleetEvent, now: datetime) -> Document:
    """The event as the event log stores it, still without its `seq`; its `_id` absorbs repetitions."""
    data = event.data.model_dump(mode="json")
    kind = kind_of(event)
    device = data.get("id") if kind == "device" and event.type != "device.event_reported" else None
    return {
        "_id": str(event.id),
        "organization_id": str(event.organizationid),
        "kind": kind,
        "type": event.type,
        "time": event.time,
        "device_id": data.get("device_id") or device,
        "iccid": data.get("iccid"),
        "data": data,
        "stored_at": now,
    }


def event_item(document: Document) -> Item:
    """What a client gets for an event."""
    return {
        "id": document["_id"],
        "type": document["type"],
        "time": format_ts(document["time"]),
        "device_id": document["device_id"],
        "iccid": document["iccid"],
        "data": document["data"],
        "cursor": str(document["seq"]),
    }


def reading_item(document: Document) -> Item:
    """What a client gets for a reading."""
    return {
        "id": document["id"],
        "device_id": document["device_id"],
        "ts": format_ts(document["ts"]),
        "metrics": document["metrics"],
        "cursor": str(document["seq"]),
    }
