"""The document of a reading, and ranges of the time of measuring."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

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


@dataclass(frozen=True, slots=True)
class TimeRange:
    """Half-open range of time of measuring, in epoch milliseconds."""

    start: int
    end: int

    def holds(self, row: Document) -> bool:
        """Whether the reading was measured in it."""
        return bool(from_milliseconds(self.start) <= row["ts"] < from_milliseconds(self.end))


def from_milliseconds(milliseconds: int) -> datetime:
    """Epoch milliseconds as a moment in UTC."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)


def milliseconds(moment: datetime) -> int:
    """A moment as epoch milliseconds."""
    return round(moment.timestamp() * 1000)
