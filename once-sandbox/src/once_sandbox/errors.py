"""Refusals, and the shapes 1NCE gives them: one for the token endpoint, two for v1, one for v2."""

from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from once_sandbox.clock import as_datetime
from once_sandbox.wire import Json

_V2_TOKENS = {400: "BadRequest", 401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 409: "Conflict"}


UNKNOWN_SIM = "SIM_NOT_FOUND"
"""Code of the refusal that may also look like an empty success."""


class ApiError(Exception):
    """A refusal; the path decides which of the shapes it takes."""

    def __init__(self, status: int, message: str, *, code: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code


def shape(path: str, status: int, message: str, *, code: str = "", now: float = 0.0) -> Json:
    """The body of a refusal on this path."""
    reason = HTTPStatus(status).phrase
    if path.startswith("/control"):
        return {"error": {"code": code or reason.upper().replace(" ", "_"), "message": message}}
    if path.startswith("/oauth"):
        return {"statusCode": status, "errorCode": code or "BadCredentials", "message": message}
    if path.rstrip("/").endswith(("/topup", "/autoTopup", "/extension")) and status in {400, 403, 404}:
        return {"message": message}
    if path.startswith("/v2"):
        token = _V2_TOKENS.get(status, reason.replace(" ", ""))
        return {"error_code": 1000 + status % 100, "error_token": token, "message": message}
    moment = as_datetime(now).isoformat(timespec="milliseconds").replace("+00:00", "+0000")
    return {"timestamp": moment, "status": status, "error": reason, "message": message, "path": path}


def _answer(request: Request, status: int, message: str, *, code: str = "") -> JSONResponse:
    now: float = request.app.state.sandbox.world.clock.now()
    readable = message.encode(errors="replace").decode()
    return JSONResponse(shape(request.url.path, status, readable, code=code, now=now), status_code=status)


async def _api_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    unknown: str = request.app.state.sandbox.world.behaviours.unknown_iccid
    if error.code == UNKNOWN_SIM and request.method == "GET" and unknown == "empty_200":
        return Response(status_code=200)
    return _answer(request, error.status, error.message, code=error.code)


async def _http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return _answer(request, error.status_code, str(error.detail))


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"][1:]) or str(first["loc"][0])
    path = request.url.path
    status = 422 if path.startswith("/control") else 400
    return _answer(
        request, status, f"{where}: {first['msg']}", code="BodyValidationError" if "oauth" in path else ""
    )


def install(app: FastAPI) -> None:
    """Give every refusal of the application its shape."""
    app.add_exception_handler(ApiError, _api_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _invalid)
