"""The CloudEvents 1.0 envelope in structured JSON mode, and the base of every payload."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID, uuid4

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer

from fleet_contracts.telemetry import format_ts

Timestamp = Annotated[datetime, PlainSerializer(format_ts, return_type=str, when_used="json")]
"""A moment; in JSON always RFC 3339 UTC with milliseconds."""


class Data(BaseModel):
    """Payload of an event. Readers ignore fields that they do not know: contracts grow."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class FleetEvent(BaseModel):
    """The CloudEvents envelope; subclasses fix `type` and `data`.

    `source` is the publishing service, `subject` the aggregate's id (the order of events holds per subject)
    and `organizationid` the owner, absent only for what belongs to no organisation.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    specversion: Literal["1.0"] = "1.0"
    id: UUID = Field(default_factory=uuid4)
    source: str
    subject: str
    time: Timestamp = Field(default_factory=lambda: datetime.now(UTC))
    datacontenttype: Literal["application/json"] = "application/json"
    organizationid: UUID | None = None
    type: str
    data: Any

    @property
    def owner(self) -> UUID:
        """The organisation it is about; raises ValueError for an event of none."""
        if self.organizationid is None:
            raise ValueError(f"{self.type} has no organizationid")
        return self.organizationid


class OwnedEvent(FleetEvent):
    """An event that says nothing without the organisation it is about: consumers reject it without one."""
