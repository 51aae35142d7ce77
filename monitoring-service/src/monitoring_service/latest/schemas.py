"""Bodies of the API of latest readings."""

from pydantic import BaseModel

from fleet_kit.schemas import Timestamp


class LatestOut(BaseModel):
    """The newest reading of a device."""

    device_id: str
    id: str
    ts: Timestamp
    received_at: Timestamp
    metrics: dict[str, float | int]
    tags: dict[str, str] | None = None
