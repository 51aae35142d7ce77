"""Reading answers: bounded in size, never trusting the body, every error shape of 1NCE."""

import email.utils
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import orjson

from fleet_kit.errors import FleetError
from sim_service.carrier.errors import CarrierBadAnswer, CarrierForbidden, CarrierRejected, CarrierUnavailable
from sim_service.carrier.once.operations import Operation, missing, unavailable

_MAX_MESSAGE_LENGTH = 300
_GONE = frozenset({405, 410, 501})


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer. `body` is decoded JSON, None where the carrier sent nothing."""

    status: int
    headers: Mapping[str, str]
    body: Any

    def total(self, name: str) -> int | None:
        """A counting header such as X-Total-Count."""
        value = self.headers.get(name, "")
        return int(value) if value.isascii() and value.isdigit() and len(value) < 10 else None


class Throttled(Exception):
    """The carrier answered 429; `retry_after` in seconds where it said so."""

    def __init__(self, retry_after: float | None) -> None:
        super().__init__("429")
        self.retry_after = retry_after


class TokenRefused(Exception):
    """The carrier answered 401: the access token is expired or revoked."""


async def read_body(response: httpx.Response, *, max_bytes: int) -> bytes:
    """The body, or CarrierBadAnswer when it is larger than `max_bytes`."""
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > max_bytes:
            raise CarrierBadAnswer(f"the carrier's answer is larger than {max_bytes} bytes")
    return bytes(body)


def interpret(operation: Operation, response: httpx.Response, body: bytes) -> Answer:
    """The answer of a success; otherwise raises what the status and the body mean."""
    status = response.status_code
    if status == 429:
        raise Throttled(retry_after(response.headers))
    if status == 401:
        raise TokenRefused
    if status >= 500 and status not in _GONE:
        raise CarrierUnavailable(f"the carrier answered {status}", details={"status": status})
    if status >= 300:
        raise _refusal(operation, status, body)
    return Answer(status, response.headers, _json(body))


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Retry-After in seconds, from seconds or a date; None when missing or unreadable."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(min(int(value[:6]), 3600))
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    return min(3600.0, max(0.0, moment.timestamp() - time.time()))


def _json(body: bytes) -> Any:
    if not body.strip():
        return None
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise CarrierBadAnswer("the carrier's answer is not JSON") from error


def _refusal(operation: Operation, status: int, body: bytes) -> FleetError:
    said = error_fields(body)
    if status in _GONE or _is_route_missing(said):
        return unavailable(operation)
    if status == 404:
        return missing(operation)
    if status == 422:
        return CarrierRejected("the SIM has expired: only extending it is allowed", code="SIM_EXPIRED")
    details = {"status": status, "operation": operation.name, **said}
    if status == 403:
        return CarrierForbidden("the carrier forbids this", details=details)
    return CarrierRejected(said.get("message", f"the carrier answered {status}"), details=details)


def _is_route_missing(said: Mapping[str, str]) -> bool:
    """Only the message tells a retired version or path from a missing SIM."""
    words = said.get("message", "").lower()
    return any(hint in words for hint in ("no route", "switched off", "retired", "api version"))


def error_fields(body: bytes) -> dict[str, str]:
    """`message` and `error` of any of the four error shapes; nothing from HTML pages and empty bodies."""
    try:
        record = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    if not isinstance(record, Mapping):
        return {}
    said = {}
    for ours, theirs in (("message", ("message",)), ("error", ("errorCode", "error_token", "error"))):
        for name in theirs:
            if isinstance(record.get(name), str):
                said[ours] = record[name][:_MAX_MESSAGE_LENGTH]
    return said
