"""Socket.IO: connections, subscriptions, and how full a client's queue is."""

import asyncio
from typing import Any

import orjson
import socketio
import structlog
from pydantic import ValidationError

from fleet_kit.errors import FleetError
from fleet_kit.token_verifier import TokenVerifier
from monitoring_service.live.clients import LiveClient
from monitoring_service.live.schemas import Subscribe
from monitoring_service.live.service import LiveFeed

log = structlog.get_logger(__name__)
PATH = "/ws/monitoring"
_GOODBYE_SECONDS = 1.0
"""How long a client that is disconnected may take to read that it is."""


class FastJson:
    """What Socket.IO needs of a JSON module."""

    @staticmethod
    def dumps(value: Any, **_: Any) -> str:
        """JSON without spaces."""
        return orjson.dumps(value).decode()

    @staticmethod
    def loads(text: str | bytes, **_: Any) -> Any:
        """The value; raises ValueError."""
        return orjson.loads(text)


class SocketIoTransport:
    """Sends to clients; see live/service.py for what it is used for."""

    def __init__(self) -> None:
        # Who may connect is decided by the token, which a foreign page does not have; so any origin may try.
        self.server = socketio.AsyncServer(
            async_mode="asgi",
            json=FastJson,
            transports=["websocket"],
            cors_allowed_origins="*",
            ping_interval=20,
            ping_timeout=20,
        )

    async def emit(self, sids: list[str], event: str, data: Any) -> None:
        """Put an event into the clients' queues; it is encoded once."""
        await self.server.emit(event, data, to=sids)

    def backlog(self, sid: str) -> int:
        """Packets that wait for the client."""
        socket = self._socket(sid)
        return socket.queue.qsize() if socket is not None else 0

    async def drop(self, sid: str, *, abort: bool = False) -> None:
        """End the connection; `abort` does not wait for a client that does not read."""
        # Looked up first: whoever is being disconnected is no longer found.
        socket, environ = self._socket(sid), self.server.get_environ(sid)
        if not abort:
            await self.server.disconnect(sid)
        if socket is not None:
            await socket.close(wait=False, abort=abort)
        # A goodbye waits behind everything that the client has not read, and a client may ignore it.
        asyncio.get_running_loop().call_later(0 if abort else _GOODBYE_SECONDS, _cut, environ)

    def _socket(self, sid: str) -> Any:
        eio_sid = self.server.manager.eio_sid_from_sid(sid, "/")
        return self.server.eio.sockets.get(eio_sid)


def _cut(environ: dict[str, Any] | None) -> None:
    """Cut the TCP connection and what waits to be sent; uvicorn's `send` is a method of its owner."""
    owner = getattr((environ or {}).get("asgi.send"), "__self__", None)
    connection = getattr(owner, "transport", None)
    if connection is None:
        log.warning("cannot reach the connection of a live client, it ends by its ping time-out")
    else:
        connection.abort()


def connect_handlers(transport: SocketIoTransport, feed: LiveFeed, verifier: TokenVerifier) -> None:
    """Tell the server what clients may do."""
    server = transport.server

    async def connect(sid: str, _: dict[str, Any], auth: Any = None) -> None:
        token = auth.get("token") if isinstance(auth, dict) else None
        try:
            principal = await verifier.verify(token if isinstance(token, str) else "")
        except FleetError as error:
            raise socketio.exceptions.ConnectionRefusedError(
                error.message, {"code": error.code, "message": error.message}
            ) from error
        feed.add(LiveClient(sid, principal))

    async def subscribe(sid: str, wanted: Any = None) -> dict[str, Any]:
        try:
            cursor = await feed.subscribe(sid, Subscribe.model_validate(wanted or {}))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            return _refusal("VALIDATION_FAILED", f"{where}: {first['msg']}")
        except FleetError as error:
            return _refusal(error.code, error.message)
        return {"ok": True, "cursor": str(cursor)}

    async def disconnect(sid: str, *_: Any) -> None:
        feed.remove(sid)

    server.on("connect", connect)
    server.on("subscribe", subscribe)
    server.on("disconnect", disconnect)


def _refusal(code: str, message: str) -> dict[str, Any]:
    return {"ok": False, "error": {"code": code, "message": message}}
