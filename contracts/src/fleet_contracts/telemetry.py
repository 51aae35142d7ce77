"""Readings that devices send: limits, validation, deterministic ids.

Two ways in for two needs. `parse_message` takes the bytes of one message from the broker and sorts its
readings into accepted and rejected, so that one bad reading never costs its neighbours. `ReadingIn` is the
same contract as a Pydantic model, for HTTP and for the published schemas. Both use the same checks.
"""

import json
import math
import re
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints
from pydantic_core import from_json

MAX_BYTES = 1_048_576
"""Size of a message of a device, over MQTT as over HTTP."""
LEAST_COST_BYTES = 256
"""What the smallest message costs of the bytes that a device and an organisation may send."""
OBJECT_COST_BYTES = 50
"""What each JSON object of a message costs at least. A reading has two, however small it is."""
ITEM_COST_BYTES = 10
"""What each comma of a message costs at least: an item of an array may be no object, and has to be listed."""
MAX_READINGS = 1000
"""Readings in one message."""
MAX_METRICS = 100
MAX_TAGS = 20
MAX_AGE = timedelta(days=366)
"""Readings older than this are refused: a clock that was never set says 1970."""
MAX_AHEAD = timedelta(minutes=10)
"""Readings further in the future are refused; a clock may be five minutes wrong."""
MAX_EXCERPT = 2000
"""Characters kept of a rejected message."""
MAX_INTEGER = 2**53
"""Largest integer that JSON readers of every language agree on."""

METRIC_NAME = r"^[A-Za-z_][A-Za-z0-9_:-]{0,63}$"
READING_ID = r"^[\x21-\x7e]{1,64}$"
_METRIC = re.compile(METRIC_NAME)
_ID = re.compile(READING_ID)
_NAMESPACE = uuid.UUID("6f1c1e0e-1c2f-5d7a-9f0b-6b6c65657400")
_FIELDS = frozenset({"id", "ts", "metrics", "tags"})

Metrics = dict[str, float | int]


class InvalidReading(ValueError):
    """A reading breaks the contract; `field` names where, in the form `metrics.temperature`."""

    def __init__(self, field: str, reason: str, code: str = "INVALID_READING") -> None:
        super().__init__(reason)
        self.field, self.reason, self.code = _printable(field), _printable(reason), code


def message_cost(body: bytes) -> int:
    """Bytes that a message counts for, without parsing it; never more than MAX_BYTES if it has no more."""
    objects = body.count(b"{") * OBJECT_COST_BYTES
    items = body.count(b",") * ITEM_COST_BYTES
    return max(len(body), min(max(objects, items), MAX_BYTES), LEAST_COST_BYTES)


@dataclass(frozen=True, slots=True)
class Reading:
    """One valid reading. `ts` is UTC with milliseconds; `id` is unique per device."""

    id: str
    ts: datetime
    metrics: Metrics
    tags: dict[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """A reading, or a whole message (`index` None), that breaks the contract, and why."""

    index: int | None
    code: str
    field: str
    reason: str
    payload: str


@dataclass(slots=True)
class Parsed:
    """What one message held."""

    readings: list[Reading] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)


def check_metrics(value: Any) -> Metrics:
    """The metrics as they came, if names are plain and values finite numbers; raises InvalidReading."""
    if not isinstance(value, dict):
        raise InvalidReading("metrics", "must be an object of numbers")
    if not value or len(value) > MAX_METRICS:
        raise InvalidReading("metrics", f"must hold 1 to {MAX_METRICS} metrics")
    for name, number in value.items():
        if type(number) is float:
            if not math.isfinite(number):
                raise InvalidReading(f"metrics.{name[:80]}", "must be a finite number")
        elif type(number) is not int:
            raise InvalidReading(f"metrics.{str(name)[:80]}", "must be a number")
        elif not -MAX_INTEGER <= number <= MAX_INTEGER:
            raise InvalidReading(f"metrics.{name[:80]}", "integer beyond ±2^53")
        if not _METRIC.fullmatch(name):
            raise InvalidReading(
                f"metrics.{name[:80]}",
                "name must start with a letter and hold only letters, digits, '_', ':' and '-' (at most 64)",
            )
    return value


def check_tags(value: Any) -> dict[str, str] | None:
    """The tags as they came, None where absent; raises InvalidReading."""
    if value is None:
        return None
    if not isinstance(value, dict) or len(value) > MAX_TAGS:
        raise InvalidReading("tags", f"must be an object of at most {MAX_TAGS} texts")
    for name, text in value.items():
        if not _METRIC.fullmatch(name):
            raise InvalidReading(f"tags.{name[:80]}", "not a plain name")
        if not isinstance(text, str) or len(text) > 256 or not text.isprintable():
            raise InvalidReading(f"tags.{name}", "must be a printable text of at most 256 characters")
    return value


def check_id(value: Any) -> str | None:
    """The device's own id for the reading, None where absent; raises InvalidReading."""
    if value is None:
        return None
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise InvalidReading("id", "must be 1 to 64 printable ASCII characters without spaces")
    return value


def check_ts(value: Any, now: datetime) -> datetime | None:
    """RFC 3339 text or epoch milliseconds as UTC, cut to milliseconds; None where absent.

    Raises InvalidReading for other forms, for text without an offset and for times outside
    [now - MAX_AGE, now + MAX_AHEAD].
    """
    if value is None:
        return None
    moment = _from_epoch(value) if type(value) in (int, float) else _from_text(value)
    if moment < now - MAX_AGE:
        raise InvalidReading("ts", f"more than {MAX_AGE.days} days in the past", "TS_OUT_OF_RANGE")
    if moment > now + MAX_AHEAD:
        raise InvalidReading("ts", "more than 10 minutes in the future", "TS_OUT_OF_RANGE")
    return moment


def _from_epoch(value: float) -> datetime:
    try:
        return datetime.fromtimestamp(math.floor(value) / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        raise InvalidReading("ts", "not a time in epoch milliseconds", "TS_OUT_OF_RANGE") from None


def _from_text(value: Any) -> datetime:
    if not isinstance(value, str) or len(value) > 40 or len(value) < 11 or value[10] not in "Tt ":
        raise InvalidReading("ts", "must be RFC 3339 text or epoch milliseconds")
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise InvalidReading("ts", "must carry an offset, such as Z")
        moment = moment.astimezone(UTC)
    except InvalidReading:
        raise
    except (ValueError, OverflowError):
        raise InvalidReading("ts", "not a time in RFC 3339 form") from None
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def stable_id(device_id: str, ts: datetime | None, metrics: Metrics, tags: dict[str, str] | None) -> str:
    """The same id for the same content of the same device, so that a repeated delivery is recognised."""
    content = json.dumps([metrics, tags], sort_keys=True, separators=(",", ":"))
    return str(uuid.uuid5(_NAMESPACE, f"{device_id}|{ts.isoformat() if ts else ''}|{content}"))


def parse_reading(value: Any, device_id: str, now: datetime) -> Reading:
    """One decoded reading, checked and stamped: without `ts` it gets `now`, without `id` a stable one.

    Raises InvalidReading.
    """
    if not isinstance(value, dict):
        raise InvalidReading("", "a reading must be an object")
    if not _FIELDS.issuperset(value):
        unknown = next(name for name in value if name not in _FIELDS)
        raise InvalidReading(unknown[:80], "unknown field", "UNKNOWN_FIELD")
    metrics = check_metrics(value.get("metrics"))
    tags = check_tags(value.get("tags"))
    ts = check_ts(value.get("ts"), now) or now
    return Reading(check_id(value.get("id")) or stable_id(device_id, ts, metrics, tags), ts, metrics, tags)


def parse_message(body: bytes, device_id: str, now: datetime) -> Parsed:
    """The readings of one message; whatever breaks the contract comes back as rejected, never as an error."""
    parsed = Parsed()
    now = now.replace(microsecond=now.microsecond // 1000 * 1000)
    try:
        items = _items(decode(body))
    except InvalidReading as error:
        parsed.rejected.append(Rejected(None, error.code, error.field, error.reason, _excerpt(body)))
        return parsed
    for index, item in enumerate(items):
        try:
            parsed.readings.append(parse_reading(item, device_id, now))
        except InvalidReading as error:
            parsed.rejected.append(Rejected(index, error.code, error.field, error.reason, _excerpt(item)))
    return parsed


def _excerpt(value: Any) -> str:
    """What was sent, as text that every store takes, cut to MAX_EXCERPT characters."""
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else json.dumps(value)
    return _printable(text[:MAX_EXCERPT].replace("\x00", "\\x00"))


def _printable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


def decode(body: bytes) -> Any:
    """Strict JSON: UTF-8, no NaN or infinities; raises InvalidReading with code MALFORMED_JSON."""
    try:
        return from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise InvalidReading("", f"not valid JSON: {error}"[:200], "MALFORMED_JSON") from None


def _items(value: Any) -> list[Any]:
    items = value if isinstance(value, list) else [value]
    if not items:
        raise InvalidReading("", "the array holds no reading", "EMPTY_MESSAGE")
    if len(items) > MAX_READINGS:
        raise InvalidReading("", f"more than {MAX_READINGS} readings in one message", "TOO_MANY_READINGS")
    return items


def encode_readings(readings: Iterable[Reading]) -> bytes:
    """A message body with these readings, as producers of the fleet publish it."""
    return json.dumps([as_dict(reading) for reading in readings], separators=(",", ":")).encode()


def as_dict(reading: Reading) -> dict[str, Any]:
    """The reading in the form of the contract."""
    value: dict[str, Any] = {"id": reading.id, "ts": format_ts(reading.ts), "metrics": reading.metrics}
    return value | {"tags": reading.tags} if reading.tags else value


def format_ts(moment: datetime) -> str:
    """RFC 3339 in UTC with milliseconds and Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


class ReadingIn(BaseModel):
    """One reading as a device sends it; the published schema of the contract."""

    model_config = ConfigDict(extra="forbid")

    id: Annotated[str, StringConstraints(pattern=READING_ID)] | None = None
    ts: datetime | int | None = Field(None, description="RFC 3339 or epoch milliseconds; absent: arrival")
    metrics: Annotated[
        dict[Annotated[str, StringConstraints(pattern=METRIC_NAME)], float | int],
        Field(min_length=1, max_length=MAX_METRICS),
        BeforeValidator(check_metrics),
    ]
    tags: dict[str, Annotated[str, StringConstraints(max_length=256)]] | None = Field(
        None, max_length=MAX_TAGS
    )
