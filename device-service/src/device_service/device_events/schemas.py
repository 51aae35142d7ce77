from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, StringConstraints

from fleet_kit.json_object import JsonObject
from fleet_kit.schemas import ResponseModel, StrictModel, Timestamp

EventType = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$")]


class EventIn(StrictModel):
    """An event as it is reported; `payload` is free JSON."""

    event_type: EventType
    payload: JsonObject = Field(default_factory=dict)


class AcceptedEventOut(ResponseModel):
    """The event was stored under this id."""

    id: UUID


class EventOut(ResponseModel):
    """A stored event."""

    id: UUID
    device_id: UUID
    event_type: str
    payload: dict[str, Any]
    created_at: Timestamp
