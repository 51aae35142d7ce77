"""Base models of HTTP bodies."""

import unicodedata
from datetime import UTC, datetime
from typing import Annotated, Any, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    PlainSerializer,
    SecretStr,
    field_validator,
)
from pydantic_core import CoreSchema

from fleet_contracts.telemetry import format_ts


def in_utc(value: datetime) -> datetime:
    """The moment in UTC; raises ValueError without an offset, or where UTC has no such year."""
    if value.tzinfo is None:
        raise ValueError("must carry an offset, such as Z")
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("is out of range in UTC") from None


Timestamp = Annotated[
    datetime, AfterValidator(in_utc), PlainSerializer(format_ts, return_type=str, when_used="json")
]
"""RFC 3339; out always UTC with milliseconds."""


def _clean(value: str) -> str:
    """Raises ValueError for NUL and for what UTF-8 refuses: lone surrogates, and nothing else."""
    try:
        storable = b"\x00" not in value.encode()
    except UnicodeEncodeError:
        storable = False
    if not storable:
        raise ValueError("holds a character that cannot be stored")
    return value


Text = Annotated[str, AfterValidator(_clean)]
"""Text that every store takes: no NUL, no lone surrogates."""


_JOINERS = "\u200c\u200d"
"""Format characters that words of some languages and many emoji need."""
_UNSEEN = frozenset({"Cc", "Cf", "Zl", "Zp"})
"""Controls, format characters (which also turn the direction of a text), separators of lines."""


def _one_line(value: str) -> str:
    """Raises ValueError where not all of it would be seen, or where it is not text for exchange at all."""
    if value.isascii() and value.isprintable():
        return value
    if any(unicodedata.category(one) in _UNSEEN and one not in _JOINERS for one in value):
        raise ValueError("holds a control character")
    if any(ord(one) & 0xFFFE == 0xFFFE or 0xFDD0 <= ord(one) <= 0xFDEF for one in value):
        raise ValueError("holds what Unicode keeps free of characters")
    return value


LineText = Annotated[Text, AfterValidator(_one_line)]
"""What people read in one line, such as a name: no controls, nothing that turns its direction."""


def check_texts(value: Any) -> Any:
    """The value; raises ValueError where a text inside cannot be stored. However deep it is nested."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, SecretStr):
            one = one.get_secret_value()
        if isinstance(one, str):
            _clean(one)
        elif isinstance(one, dict):
            waiting += [*one.keys(), *one.values()]
        elif isinstance(one, list | tuple):
            waiting += one
    return value


class QueryModel(BaseModel):
    """Query parameters: refuses unknown ones, NaN and infinities, and texts that cannot be stored."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, str_strip_whitespace=True)

    @field_validator("*")
    @classmethod
    def _has_storable_texts(cls, value: Any) -> Any:
        return check_texts(value)


def _with_strict_numbers(schema: Any) -> Any:
    """The schema; pydantic's own `strict` would also refuse UUIDs and moments as text."""
    if isinstance(schema, list | tuple):
        return type(schema)(_with_strict_numbers(one) for one in schema)
    if not isinstance(schema, dict):
        return schema
    changed = {name: _strict_part(name, part) for name, part in schema.items()}
    return changed | {"strict": True} if changed.get("type") in _STRICT else changed


_STRICT = ("int", "float", "bool")


def _strict_part(name: str, part: Any) -> Any:
    if name in {"default", "metadata"}:
        return part
    if name == "fields" and isinstance(part, dict):  # by their names, which may be any of those above
        return {field: _with_strict_numbers(one) for field, one in part.items()}
    return _with_strict_numbers(part)


class StrictModel(QueryModel):
    """A request body: refuses the same, and takes numbers and booleans as JSON writes them, not as text.

    Who sends `true` for a quantity has not asked for one. UUIDs, moments and amounts of money are text.
    """

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: type[BaseModel], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return cast(CoreSchema, _with_strict_numbers(handler(source)))


class ResponseModel(BaseModel):
    """A response body, readable from attributes of an entity, and made with the names of its fields."""

    model_config = ConfigDict(from_attributes=True, validate_by_name=True, validate_by_alias=True)


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
