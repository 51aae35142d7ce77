"""The document of a reading."""

from datetime import datetime

from fleet_contracts.telemetry import Reading
from monitoring_service.store.client import Document


def reading_document(
    reading: Reading, device_id: str, organization_id: str, received_at: datetime
) -> Document:
    """The reading as it is stored, still without its `seq`. The `_id` makes a second delivery a duplicate."""
    document = {
        "_id": f"{device_id}:{reading.id}",
        "organization_id": organization_id,
        "device_id": device_id,
        "id": reading.id,
        "ts": reading.ts,
        "received_at": received_at,
        "metrics": reading.metrics,
    }
    if reading.tags:
        document["tags"] = reading.tags
    return document
