"""Checks of JSON objects whose content is the user's business."""

import json
from typing import Annotated, Any

import orjson
from pydantic import AfterValidator

from fleet_kit.schemas import check_json

MAX_BYTES = 64 * 1024
MAX_DEPTH = 10
MAX_VALUES = 2_000
"""Values at all depths. A page of objects of 64 KiB that are full of empty lists took 600 MB to read."""


def check_object(value: dict[str, Any], *, max_bytes: int = MAX_BYTES) -> dict[str, Any]:
    """The object as it came; raises ValueError for what cannot be stored and given back unchanged."""
    check_json(value, max_depth=MAX_DEPTH)
    if (number := _count(value)) > MAX_VALUES:
        raise ValueError(f"holds {number:,} values, at most {MAX_VALUES:,} are possible")
    try:
        encoded = json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()
    except ValueError:
        raise ValueError("numbers must be finite") from None
    try:
        orjson.dumps(value)
    except TypeError:
        raise ValueError("integers must fit into 64 bits") from None
    if len(encoded) > max_bytes:
        raise ValueError(f"is larger than {max_bytes} bytes")
    return value


def _count(value: Any) -> int:
    """The value and all that it holds."""
    if isinstance(value, dict):
        return 1 + sum(map(_count, value.values()))
    return 1 + sum(map(_count, value)) if isinstance(value, list) else 1


def encode_json(value: Any) -> bytes:
    """Compact JSON. Postgres gives back 1e20 of a jsonb as an integer, which is too large for orjson."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


JsonObject = Annotated[dict[str, Any], AfterValidator(check_object)]
"""A JSON object of at most MAX_BYTES and MAX_VALUES, nested at most MAX_DEPTH deep, with finite numbers."""
