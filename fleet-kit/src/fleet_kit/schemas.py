"""Base models of HTTP bodies."""

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, PlainSerializer

from fleet_contracts.telemetry import format_ts


def _aware(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("must carry an offset, such as Z")
    return value.astimezone(UTC)


Timestamp = Annotated[
    datetime, AfterValidator(_aware), PlainSerializer(format_ts, return_type=str, when_used="json")
]
"""RFC 3339; out always UTC with milliseconds."""


def _clean(value: str) -> str:
    if "\x00" in value or any("\ud800" <= char <= "\udfff" for char in value):
        raise ValueError("holds a character that cannot be stored")
    return value


Text = Annotated[str, AfterValidator(_clean)]
"""Text that every store takes: no NUL, no lone surrogates."""


class StrictModel(BaseModel):
    """A request body: unknown fields are refused, as are NaN and infinities."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, str_strip_whitespace=True)


class ResponseModel(BaseModel):
    """A response body, readable from attributes of an entity."""

    model_config = ConfigDict(from_attributes=True)


def check_json(value: Any, *, max_depth: int, field: str = "") -> None:
    """Raise ValueError where free JSON is nested too deeply or holds text that cannot be stored."""
    if max_depth < 0:
        raise ValueError(f"{field or 'value'} is nested too deeply")
    if isinstance(value, dict):
        for name, item in value.items():
            _clean(name)
            check_json(item, max_depth=max_depth - 1, field=name)
    elif isinstance(value, list):
        for item in value:
            check_json(item, max_depth=max_depth - 1, field=field)
    elif isinstance(value, str):
        _clean(value)
