"""What every request passes first. Plain ASGI, so that a cancelled request leaves nothing behind."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, MutableMapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

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
BODY_SECONDS = 120.0
"""Time in which the whole body has to come, for it comes from the client at the client's pace."""
_HEADER = HEADER.lower().encode()


class RequestContext:
    """Gives each request its id, counts it, and turns what nobody caught into the one error shape.

    `body_limits`: bytes that a body to one of these paths may have instead of MAX_BODY_BYTES.
    """

    def __init__(
        self, app: App, body_limits: Mapping[str, int] | None = None, *, body_seconds: float = BODY_SECONDS
    ) -> None:
        self._app, self._body_limits, self._body_seconds = app, dict(body_limits or {}), body_seconds

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
                headers_out = (
                    _relative_redirects(message["headers"]) if 300 <= status < 400 else message["headers"]
                )
                message["headers"] = [*headers_out, (_HEADER, request_id)]
            await send(message)

        most = self._body_limits.get(scope["path"], MAX_BODY_BYTES)
        if int(headers.get(b"content-length", b"0")) > most:
            await error_response(_too_large(most))(scope, receive, stamped)
            return
        try:
            await self._app(scope, _limited(receive, most, self._body_seconds), stamped)
        except Exception as error:
            if status:
                raise
            await unexpected(scope["path"], error)(scope, receive, stamped)
        finally:
            observe(scope, status or 499, time.perf_counter() - began)


def _relative_redirects(headers: Iterable[tuple[bytes, bytes]]) -> Iterator[tuple[bytes, bytes]]:
    """Starlette redirects to the name that the request's Host header claims, whoever wrote that."""
    for name, value in headers:
        if name.lower() == b"location":
            place = urlsplit(value.decode("latin-1"))
            path = "/" + place.path.lstrip("/")
            yield name, urlunsplit(("", "", path, place.query, place.fragment)).encode("latin-1")
        else:
            yield name, value


def _limited(receive: Receive, most: int, seconds: float) -> Receive:
    """Bounds the time of a body, and its size where it came without its length.

    The time is counted from when somebody begins to read it. FastAPI lets only an HTTPException through here.
    """
    seen, deadline, whole = 0, None, False

    async def limited() -> Message:
        nonlocal seen, deadline, whole
        if whole:  # what comes now is the client's leaving
            return await receive()
        deadline = deadline or asyncio.get_running_loop().time() + seconds
        try:
            async with asyncio.timeout_at(deadline):
                message = await receive()
        except TimeoutError:
            raise HTTPException(408, f"the body has not come within {seconds:g} s") from None
        whole = not message.get("more_body", False)
        seen += len(message.get("body", b""))
        if seen > most:
            raise HTTPException(413, _too_large(most).message)
        return message

    return limited


def _too_large(most: int) -> PayloadTooLarge:
    return PayloadTooLarge(f"the body is larger than {most} bytes", details={"limit_bytes": most})
