"""Reading 1NCE's values: four date formats, numbers as strings with float noise, fields left out.

Nothing here raises: a value that cannot be read is None, so one odd field never costs a whole record.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, TypeVar

Record = Mapping[str, Any]
E = TypeVar("E", bound=StrEnum)
BYTES_PER_MB = 1024 * 1024
"""1NCE's v2 specification: 1 megabyte = 1,024 kilobytes."""

_MAX_NUMBER_LENGTH = 40
_NANO = Decimal("0.000000001")


def text(record: Record, name: str, *, max_length: int = 255) -> str | None:
    """A non-empty string without characters that no store takes; numbers are taken as their digits."""
    value = record.get(name)
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return clean(str(value)).strip()[:max_length] or None


def raw(record: Record, name: str, *, max_length: int) -> str:
    """A string with its blanks, without characters that no store takes; left out: empty."""
    value = record.get(name)
    return clean(value)[:max_length] if isinstance(value, str) else ""


def clean(value: str) -> str:
    """The string without NUL and halves of surrogate pairs."""
    return "".join(char for char in value if char != "\x00" and not "\ud800" <= char <= "\udfff")


def cleaned(value: Any) -> Any:
    """JSON whose strings are clean, names included."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, Mapping):
        return {clean(str(name)): cleaned(inner) for name, inner in value.items()}
    return [cleaned(inner) for inner in value] if isinstance(value, list) else value


def choice(said: str | None, options: type[E], *, otherwise: E) -> E:
    """The option whose value is this text, in whatever case."""
    try:
        return options((said or "").lower())
    except ValueError:
        return otherwise


def flag(record: Record, name: str) -> bool | None:
    value = record.get(name)
    return value if isinstance(value, bool) else None


def moment(record: Record, name: str) -> datetime | None:
    """`…000+0000`, `…000Z`, `YYYY-MM-DD HH:MM:SS` or `YYYY-MM-DD`, always in UTC."""
    value = record.get(name)
    if not isinstance(value, str):
        return None
    try:
        parsed = datetime.fromisoformat(value.strip())
        return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def day(record: Record, name: str) -> date | None:
    """The UTC day of a date in any of the four formats."""
    parsed = moment(record, name)
    return None if parsed is None else parsed.date()


def number(record: Record, name: str) -> Decimal | None:
    """A finite number, from a number or a string."""
    value = record.get(name)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    digits = str(value).strip()
    if len(digits) > _MAX_NUMBER_LENGTH:
        return None
    try:
        parsed = Decimal(digits)
    except InvalidOperation:
        return None
    return parsed if parsed.is_finite() and abs(parsed) < Decimal(10) ** 15 else None


def volume(record: Record, name: str) -> Decimal | None:
    """Megabytes or messages with nine decimals: every byte, and no float noise."""
    parsed = number(record, name)
    return None if parsed is None else parsed.quantize(_NANO)


def whole(record: Record, name: str) -> int | None:
    """Rounded."""
    parsed = number(record, name)
    return None if parsed is None else round(parsed)


def megabytes(record: Record, name: str) -> int:
    """A volume in MB as bytes; rounding removes the float noise. Left out: 0."""
    return max(0, round((number(record, name) or Decimal(0)) * BYTES_PER_MB))


def nested(record: Record, name: str) -> Record:
    """A JSON object inside another; left out or of another type: empty."""
    value = record.get(name)
    return value if isinstance(value, Mapping) else {}
