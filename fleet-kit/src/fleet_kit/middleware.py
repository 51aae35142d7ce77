"""What every request passes: its id, a limit on its body. Plain ASGI, so that cancellation stays clean."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from fleet_kit.errors import PayloadTooLarge, error_response
from fleet_kit.request_id import HEADER, set_request_id

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

MAX_BODY_BYTES = 1024 * 1024
_HEADER = HEADER.lower().encode()


class RequestContext:
    """Gives each request its id, sends it back, and refuses bodies above MAX_BODY_BYTES with 413."""

    def __init__(self, app: App, max_body_bytes: int = MAX_BODY_BYTES) -> None:
        self._app, self._max = app, max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given, length = _headers_of(scope)
        request_id = set_request_id(given).encode()

        async def stamped(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (_HEADER, request_id)]
            await send(message)

        if length > self._max:
            await error_response(_too_large(self._max))(scope, receive, stamped)
            return
        await self._app(scope, self._limited(receive), stamped)

    def _limited(self, receive: Receive) -> Receive:
        seen = 0

        async def limited() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._max:
                raise _too_large(self._max)
            return message

        return limited


def _headers_of(scope: Scope) -> tuple[str | None, int]:
    given, length = None, 0
    for name, value in scope["headers"]:
        if name == _HEADER:
            given = value.decode("latin-1")
        elif name == b"content-length" and value.isdigit():
            length = int(value)
    return given, length


def _too_large(limit: int) -> PayloadTooLarge:
    return PayloadTooLarge(f"the body is larger than {limit} bytes", details={"limit_bytes": limit})
