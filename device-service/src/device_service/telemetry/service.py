import math
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import UUID, uuid4

from fleet_contracts.telemetry import (
    MAX_READINGS,
    InvalidReading,
    Reading,
    decode,
    encode_readings,
    message_cost,
    parse_reading,
)
from fleet_contracts.topology import TELEMETRY_EXCHANGE, telemetry_key
from fleet_kit.allowances import Allowances
from fleet_kit.errors import BadRequest, TooManyRequests, Unavailable, Unprocessable, invalid
from fleet_kit.messaging import PublishFailed

MAX_NAMED = 20
"""Fields that one refusal names at most."""
RETRY_AFTER_SECONDS = 5


class ConfirmedPublisher(Protocol):
    """What telemetry needs of a publisher; see fleet_kit.messaging.Publisher."""

    async def publish(self, exchange: str, routing_key: str, body: bytes, *, message_id: str) -> None:
        """Return once confirmed; raises PublishFailed."""
        ...


class TelemetryService:
    """Takes readings over HTTP: all of a request or none, accepted once the broker has confirmed them.

    `allowances`: bytes of each organisation.
    """

    def __init__(self, publisher: ConfirmedPublisher, allowances: Allowances[UUID]) -> None:
        self._publisher, self._allowances = publisher, allowances

    async def accept(self, device_id: UUID, organization_id: UUID, body: bytes) -> list[str]:
        """Ids of the readings.

        Raises TooManyRequests, BadRequest, Unprocessable naming fields, or Unavailable.
        """
        self._charge(organization_id, body)  # before anything is parsed, for that is what costs
        readings = parse_body(body, str(device_id), datetime.now(UTC))
        try:
            await self._publisher.publish(
                TELEMETRY_EXCHANGE,
                telemetry_key(str(device_id)),
                encode_readings(readings),
                message_id=str(uuid4()),
            )
        except PublishFailed as error:
            self._allowances.give_back(organization_id, message_cost(body))
            raise Unavailable(
                "the readings could not be taken over, send them again", retry_after=RETRY_AFTER_SECONDS
            ) from error
        return [reading.id for reading in readings]

    def _charge(self, organization_id: UUID, body: bytes) -> None:
        seconds = self._allowances.take(organization_id, message_cost(body))
        if seconds > 0:
            raise TooManyRequests(
                "the organization's devices send more than it may, send these readings again later",
                retry_after=math.ceil(seconds),
            )


def parse_body(body: bytes, device_id: str, now: datetime) -> list[Reading]:
    """One reading or an array of them, stamped with `ts` and `id` where absent."""
    now = now.replace(microsecond=now.microsecond // 1000 * 1000)
    value = _decoded(body)
    items = value if isinstance(value, list) else [value]
    if not 1 <= len(items) <= MAX_READINGS:
        raise invalid("", f"must hold 1 to {MAX_READINGS} readings, not {len(items)}")
    readings, problems = [], []
    for index, item in enumerate(items):
        try:
            readings.append(parse_reading(_stamped(item), device_id, now))
        except InvalidReading as error:
            prefix = str(index) if isinstance(value, list) else ""
            problems.append(
                {"field": _path(prefix, error.field), "message": error.reason, "code": error.code}
            )
            if len(problems) == MAX_NAMED:
                break
    if problems:
        first = problems[0]
        message = f"{first['field'] or 'body'}: {first['message']}"
        raise Unprocessable(message, details={"fields": problems})
    return readings


def _decoded(body: bytes) -> Any:
    try:
        return decode(body)
    except InvalidReading as error:
        raise BadRequest(error.reason, code=error.code) from error


def _stamped(item: Any) -> Any:
    """A reading with neither `id` nor `ts` gets an id of its own: its equal neighbour is another reading."""
    if isinstance(item, dict) and item.get("id") is None and item.get("ts") is None:
        return item | {"id": str(uuid4())}
    return item


def _path(*parts: str) -> str:
    return ".".join(filter(None, parts))
