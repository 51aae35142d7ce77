"""Fields of a SIM as people may write them."""

from typing import Annotated, Any

from pydantic import AfterValidator, Field, StringConstraints

from fleet_kit.json_object import check_object
from fleet_kit.schemas import LineText

MAX_TAGS = 50
MAX_METADATA_BYTES = 8 * 1024


def _bounded(value: dict[str, Any]) -> dict[str, Any]:
    return check_object(value, max_bytes=MAX_METADATA_BYTES)


def _distinct(tags: list[str]) -> list[str]:
    return list(dict.fromkeys(tags))


Label = Annotated[LineText, StringConstraints(max_length=255)]
Tag = Annotated[LineText, StringConstraints(min_length=1, max_length=64)]
Tags = Annotated[list[Tag], Field(max_length=MAX_TAGS), AfterValidator(_distinct)]
Metadata = Annotated[dict[str, Any], AfterValidator(_bounded)]
"""A JSON object of at most 8 KiB."""
