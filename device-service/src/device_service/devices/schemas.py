from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query
from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, field_validator

from device_service.devices.models import DeviceStatus
from fleet_kit.json_object import JsonObject
from fleet_kit.schemas import LineText, QueryModel, ResponseModel, StrictModel, Text, Timestamp

MAX_TAGS = 50
Sort = Literal["name", "-name", "type", "-type", "created_at", "-created_at", "updated_at", "-updated_at"]


def _iccid(value: str) -> str:
    """The 19 digits that carriers use, without the Luhn digit that modems add (ITU-T E.118)."""
    doubled = (int(digit) * (1 + position % 2) for position, digit in enumerate(reversed(value)))
    if len(value) == 20 and sum(number // 10 + number % 10 for number in doubled) % 10:
        raise ValueError("the check digit is wrong")
    return value[:19]


def _distinct(tags: list[str]) -> list[str]:
    return list(dict.fromkeys(tags))


Name = Annotated[LineText, StringConstraints(min_length=1, max_length=128)]
TypeName = Annotated[LineText, StringConstraints(min_length=1, max_length=64)]
Tag = Annotated[LineText, StringConstraints(min_length=1, max_length=64)]
Tags = Annotated[list[Tag], Field(max_length=MAX_TAGS), AfterValidator(_distinct)]
Iccid = Annotated[str, StringConstraints(pattern=r"^[0-9]{19,20}$"), AfterValidator(_iccid)]


class DeviceIn(StrictModel):
    """A whole device, to create or to replace. `iccid` has 19 digits; a 20th is checked and left out."""

    name: Name
    type: TypeName
    config: JsonObject = Field(default_factory=dict)
    iccid: Iccid | None = None
    tags: Tags = Field(default_factory=list)


class DevicePatch(StrictModel):
    """Only what is named changes; `iccid` may be null, which takes the SIM away."""

    name: Name | None = None
    type: TypeName | None = None
    config: JsonObject | None = None
    iccid: Iccid | None = None
    tags: Tags | None = None

    @field_validator("name", "type", "config", "tags", mode="before")
    @classmethod
    def _is_not_null(cls, value: Any) -> Any:
        if value is None:
            raise ValueError("cannot be null")
        return value

    def changes(self) -> dict[str, Any]:
        """The named fields."""
        return self.model_dump(exclude_unset=True)


class DeviceOut(ResponseModel):
    """A device as it is shown. `version` is also its ETag."""

    id: UUID
    name: str
    type: str
    config: dict[str, Any]
    iccid: str | None
    tags: list[str]
    status: DeviceStatus
    created_at: Timestamp
    updated_at: Timestamp
    version: int


class CreatedDeviceOut(DeviceOut):
    """A new device with its key, which is shown only now (and not when the request is repeated)."""

    key: str | None = None


class DeviceQuery(QueryModel):
    """What narrows and orders a list. A device has all of several tags."""

    model_config = ConfigDict(extra="ignore")

    type: Annotated[Text | None, Query(max_length=64)] = None
    status: DeviceStatus | None = None
    tag: Annotated[list[Text], Query(max_length=MAX_TAGS)] = Field(default_factory=list)
    iccid: Annotated[Text | None, Query(max_length=20)] = None
    search: Annotated[Text | None, Query(max_length=128, description="part of name or ICCID")] = None
    sort: Sort = "-created_at"
