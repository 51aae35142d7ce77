"""What a fault does to an answer."""

import json
from typing import Any

from fastapi.responses import HTMLResponse, JSONResponse, Response

from once_sandbox.errors import shape
from once_sandbox.faults.schemas import ActiveRule
from once_sandbox.sandbox import Sandbox

UNAVAILABLE_PAGE = (
    "<html>\r\n<head><title>503 Service Temporarily Unavailable</title></head>\r\n<body>\r\n"
    "<center><h1>503 Service Temporarily Unavailable</h1></center>\r\n</body>\r\n</html>\r\n"
)


def substitute(rule: ActiveRule, sandbox: Sandbox, path: str, token: str) -> Response | None:
    """The answer that a fault gives instead of the real one; None for a broken connection."""
    if rule.kind == "html_503":
        return HTMLResponse(UNAVAILABLE_PAGE, status_code=503)
    if rule.kind == "expired_token":
        sandbox.tokens.expire(token)
        return _shaped(sandbox, path, 401, "Access token expired")
    if rule.kind == "rate_limited":
        return JSONResponse({"message": "Too Many Requests"}, status_code=429, headers=rule.headers)
    if rule.kind == "status":
        if rule.body is not None:
            return Response(rule.body, status_code=rule.status, headers=rule.headers)
        answer = _shaped(sandbox, path, rule.status, "Injected fault")
        answer.headers.update(rule.headers)
        return answer
    return None


def _shaped(sandbox: Sandbox, path: str, status: int, message: str) -> Response:
    return JSONResponse(shape(path, status, message, now=sandbox.world.clock.now()), status_code=status)


def spoil(rule: ActiveRule, body: bytes) -> bytes:
    """The body that a fault makes of the real one."""
    if rule.kind == "empty_200":
        return b""
    if rule.kind == "not_json":
        return b"<!DOCTYPE html><title>Maintenance</title>"
    if rule.kind == "negative_quota":
        return _negative(body)
    return body


def _negative(body: bytes) -> bytes:
    try:
        quota: Any = json.loads(body)
    except ValueError:
        return body
    if not isinstance(quota, dict) or "volume" not in quota:
        return body
    return json.dumps(quota | {"volume": -abs(quota["volume"]) - 0.0625}).encode()
