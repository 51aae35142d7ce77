from typing import Annotated, Any, Literal

from fastapi import Query
from pydantic import ConfigDict

from fleet_kit.errors import invalid
from fleet_kit.pagination import Page
from fleet_kit.schemas import QueryModel, ResponseModel, Text, Timestamp

Severity = Literal["info", "warning", "critical"]


class EventOut(ResponseModel):
    """Something that the network noted about a SIM.

    `type` is one of location_updated, data_location_updated, session_opened, session_updated,
    session_closed, session_refused, sim_enabled, sim_disabled, blocked, location_purged,
    data_location_purged, data_quota_low, data_quota_exhausted, data_quota_expired, sms_quota_low,
    sms_quota_exhausted, sim_released, sim_assigned, other. `cause`: why the network refused something.
    """

    id: str
    iccid: str
    at: Timestamp
    type: str
    severity: Severity
    description: str
    cause: str | None
    operator: str | None
    country: str | None
    imsi: str | None
    imei: str | None
    detail: dict[str, Any]


class EventPage(Page[EventOut]):
    """A page of events; `synced_at`: when the carrier was last asked for them, null if never."""

    synced_at: Timestamp | None


class EventQuery(QueryModel):
    """The list's filters; `type` and `severity` may be given several times."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)

    type: Annotated[list[Annotated[Text, Query(max_length=40)]] | None, Query(max_length=20)] = None
    severity: Annotated[list[Severity] | None, Query(max_length=3)] = None
    first: Annotated[Timestamp | None, Query(alias="from")] = None
    before: Annotated[Timestamp | None, Query(alias="to", description="this moment not included")] = None

    def check(self) -> None:
        """Raise 422 for a range without any moment."""
        if self.first is not None and self.before is not None and self.first >= self.before:
            raise invalid("to", "must be later than from")


class EventSyncOut(ResponseModel):
    """What a sync brought."""

    iccid: str
    stored: int
    synced_at: Timestamp
