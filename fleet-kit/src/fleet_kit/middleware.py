"""What every request passes first. Plain ASGI, so that a cancelled request leaves nothing behind."""

import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from starlette.exceptions import HTTPException

from fleet_kit.errors import PayloadTooLarge, error_response, unexpected
from fleet_kit.http_metrics import observe
from fleet_kit.request_id import HEADER, set_request_id

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

MAX_BODY_BYTES = 1024 * 1024
_HEADER = HEADER.lower().encode()


class RequestContext:
    """Gives each request its id, counts it, and turns what nobody caught into the one error shape.

    `body_limits`: bytes that a body to one of these paths may have instead of MAX_BODY_BYTES.
    """

    def __init__(self, app: App, body_limits: Mapping[str, int] | None = None) -> None:
        self._app, self._body_limits = app, dict(body_limits or {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        request_id = set_request_id(headers.get(_HEADER, b"").decode("latin-1")).encode()
        began, status = time.perf_counter(), 0

        async def stamped(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (_HEADER, request_id)]
            await send(message)

        most = self._body_limits.get(scope["path"], MAX_BODY_BYTES)
        if int(headers.get(b"content-length", b"0")) > most:
            await error_response(_too_large(most))(scope, receive, stamped)
            return
        try:
            await self._app(scope, _limited(receive, most), stamped)
        except Exception as error:
            if status:
                raise
            await unexpected(scope["path"], error)(scope, receive, stamped)
        finally:
            observe(scope, status or 499, time.perf_counter() - began)


def _limited(receive: Receive, most: int) -> Receive:
    """Counts a body that came without its length. FastAPI lets only an HTTPException through here."""
    seen = 0

    async def limited() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > most:
            raise HTTPException(413, _too_large(most).message)
        return message

    return limited


def _too_large(most: int) -> PayloadTooLarge:
    return PayloadTooLarge(f"the body is larger than {most} bytes", details={"limit_bytes": most})
