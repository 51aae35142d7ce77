"""Errors with a code and a status, and the body with which every service answers them.

`{"error": {"code", "message", "details", "request_id"}}`: services raise a FleetError, `install` turns it,
validation failures and anything unexpected into that shape.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from fleet_kit.availability import is_unavailable
from fleet_kit.request_id import current_request_id

log = structlog.get_logger(__name__)


class FleetError(Exception):
    """An expected failure; `code` is what programs switch on, `message` what people read."""

    status: ClassVar[int] = 500
    default_code: ClassVar[str] = "INTERNAL"

    def __init__(
        self, message: str, *, code: str | None = None, details: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.details = dict(details or {})

    @property
    def headers(self) -> dict[str, str]:
        """Response headers that belong to the error."""
        return {}


class BadRequest(FleetError):
    """The request cannot be read."""

    status, default_code = 400, "BAD_REQUEST"


class Unauthorized(FleetError):
    """Nobody, or not who they say they are."""

    status, default_code = 401, "UNAUTHORIZED"

    @property
    def headers(self) -> dict[str, str]:
        """The challenge that RFC 9110 asks for."""
        return {"WWW-Authenticate": "Bearer"}


class Forbidden(FleetError):
    """Known, but the role does not allow it."""

    status, default_code = 403, "FORBIDDEN"


class NotFound(FleetError):
    """Does not exist, or belongs to another organisation."""

    status, default_code = 404, "NOT_FOUND"


class Conflict(FleetError):
    """Clashes with the present state."""

    status, default_code = 409, "CONFLICT"


class PreconditionFailed(FleetError):
    """The caller's version is not the present one."""

    status, default_code = 412, "PRECONDITION_FAILED"


class PayloadTooLarge(FleetError):
    """More than one request may carry."""

    status, default_code = 413, "PAYLOAD_TOO_LARGE"


class Unprocessable(FleetError):
    """Readable but malformed; `details` names the field."""

    status, default_code = 422, "VALIDATION_FAILED"


class _Retryable(FleetError):
    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        details: Mapping[str, Any] | None = None,
        retry_after: int = 5,
    ) -> None:
        super().__init__(message, code=code, details=details)
        self.retry_after = retry_after

    @property
    def headers(self) -> dict[str, str]:
        """When to come again, in seconds."""
        return {"Retry-After": str(self.retry_after)}


class TooManyRequests(_Retryable):
    """The caller's allowance is used up."""

    status, default_code = 429, "RATE_LIMITED"


class Unavailable(_Retryable):
    """Something this request needs is unavailable; the same request may succeed later."""

    status, default_code = 503, "UNAVAILABLE"


class BadGateway(_Retryable):
    """A system beyond this one answered with nonsense."""

    status, default_code = 502, "BAD_GATEWAY"


def error_body(code: str, message: str, details: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The one error shape."""
    return {
        "error": {
            "code": code,
            "message": message,
            "details": dict(details or {}),
            "request_id": current_request_id(),
        }
    }


def error_response(error: FleetError) -> JSONResponse:
    """The response for an expected failure."""
    return JSONResponse(
        error_body(error.code, error.message, error.details), error.status, headers=error.headers
    )


def invalid(field: str, message: str, *, code: str | None = None) -> Unprocessable:
    """A 422 that names one field, in the same form as validation's own."""
    return Unprocessable(
        f"{field or 'body'}: {message}",
        code=code,
        details={"fields": [{"field": field, "message": message}]},
    )


def prefix_field(field: str, error: Unprocessable) -> Unprocessable:
    """A 422 of `invalid` where what it names stands inside another field."""
    (inner,) = error.details["fields"]
    return invalid(f"{field}.{inner['field']}", inner["message"], code=error.code)


def install(app: FastAPI, *, dependency_errors: Sequence[type[Exception]] = ()) -> None:
    """Make the application answer every failure with the same body.

    `dependency_errors`: what the driver of another server raises, which is answered with 503.
    """
    app.add_exception_handler(FleetError, _on_fleet_error)
    app.add_exception_handler(RequestValidationError, _on_validation)
    app.add_exception_handler(HTTPException, _on_http)
    for unavailable in (
        InterfaceError,
        OperationalError,
        PoolTimeout,
        DBAPIError,
        ConnectionError,
        TimeoutError,
    ):
        app.add_exception_handler(unavailable, _on_unavailable)
    for error in dependency_errors:
        app.add_exception_handler(error, _on_dependency_error)


async def _on_fleet_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, FleetError)
    return error_response(error)


async def _on_validation(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    problems = error.errors()
    if any(problem["type"] == "json_invalid" for problem in problems):
        return error_response(BadRequest("the body is not valid JSON", code="MALFORMED_JSON"))
    fields = [{"field": _name(problem, error.body), "message": _said(problem)} for problem in problems[:20]]
    first = fields[0]
    message = f"{first['field'] or 'body'}: {first['message']}"
    return JSONResponse(error_body("VALIDATION_FAILED", message, {"fields": fields}), 422)


_MEMBER = re.compile(r"<\w+\.\w+: ('[^']*')>")
"""How Python shows a member of an enumeration, which is not how it is written in a request."""


def _said(problem: Mapping[str, Any]) -> str:
    """The problem in words for whoever sent the request."""
    if problem["type"] in {"too_long", "too_short"} and isinstance(problem["input"], str):
        which, bound = ("most", "max_length") if problem["type"] == "too_long" else ("least", "min_length")
        number, actual = problem["ctx"][bound], problem["ctx"]["actual_length"]
        return f"must have at {which} {number} character{'' if number == 1 else 's'}, not {actual}"
    return _MEMBER.sub(r"\1", problem["msg"].removeprefix("Value error, "))


def _name(problem: Mapping[str, Any], body: Any) -> str:
    """The field as it was sent: without the tag that says which of several models the body is."""
    source, *location = problem["loc"]
    place, parts = body if source == "body" else None, []
    for number, part in enumerate(location, 1):
        missing = problem["type"] == "missing" and number == len(location)
        if isinstance(place, Mapping) and part not in place and part in place.values() and not missing:
            continue
        parts.append(str(part))
        place = _within(place, part)
    return ".".join(parts).encode("utf-8", "backslashreplace").decode()


def _within(place: Any, part: str | int) -> Any:
    if isinstance(place, Mapping):
        return place.get(part)
    inside = isinstance(place, list) and isinstance(part, int) and part < len(place)
    return place[part] if inside else None


_HTTP_CODES = {
    401: "UNAUTHORIZED",
    403: "FORBIDDEN",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    408: "REQUEST_TIMEOUT",
    413: "PAYLOAD_TOO_LARGE",
}


_UNREADABLE = "There was an error parsing the body"
"""FastAPI's own words for a body that breaks its JSON parser, such as one nested too deeply."""


async def _on_http(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    code = _HTTP_CODES.get(error.status_code, "BAD_REQUEST" if error.status_code < 500 else "INTERNAL")
    if error.detail == _UNREADABLE:
        code = "MALFORMED_JSON"
    return JSONResponse(error_body(code, str(error.detail)), error.status_code, headers=error.headers)


async def _on_unavailable(request: Request, error: Exception) -> JSONResponse:
    if not is_unavailable(error):
        return unexpected(request.url.path, error)
    log.warning("a dependency is unavailable", error=type(error).__name__, path=request.url.path)
    return error_response(Unavailable("a dependency of this request is unavailable, try again"))


async def _on_dependency_error(request: Request, error: Exception) -> JSONResponse:
    """Whatever the server did not like: only the log tells whether it was away or a query was wrong."""
    log.error("a dependency has failed", path=request.url.path, exc_info=error)
    return error_response(Unavailable("a dependency of this request has failed, try again"))


def unexpected(path: str, error: Exception) -> JSONResponse:
    """The response for a failure that nobody foresaw; the log has the rest."""
    log.error("unexpected failure", path=path, exc_info=error)
    return JSONResponse(error_body("INTERNAL", "unexpected failure, see the service's log"), 500)
