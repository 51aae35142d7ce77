"""Reasons to refuse a call before it reaches its route."""

import math

from fastapi.responses import JSONResponse, Response

from once_sandbox.errors import shape
from once_sandbox.sandbox import Sandbox


def bearer(authorization: str) -> str:
    """The token of an Authorization header, or an empty string."""
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def refusal(sandbox: Sandbox, path: str, *, token: str, caller: str) -> Response | None:
    """The answer to a call that must not go on; None lets it through."""
    behaviours = sandbox.world.behaviours
    if path.startswith("/v1/") and not behaviours.v1_enabled:
        return _answer(
            sandbox, path, behaviours.v1_end_status, "API version 1 has been switched off, use version 2"
        )
    if not path.startswith("/oauth") and not sandbox.tokens.valid(token):
        return _answer(sandbox, path, 401, "Access token is missing, invalid or expired")
    wait = sandbox.limits.wait(path, caller, behaviours)
    if wait > 0:
        return _too_many(wait, advise=behaviours.retry_after)
    return None


def _answer(sandbox: Sandbox, path: str, status: int, message: str) -> Response:
    body = shape(path, status, message, now=sandbox.world.clock.now())
    return JSONResponse(body, status_code=status)


def _too_many(wait: float, *, advise: bool) -> Response:
    headers = {"Retry-After": str(max(1, math.ceil(wait)))} if advise else {}
    return JSONResponse({"message": "Too Many Requests"}, status_code=429, headers=headers)
