"""Socket.IO: connections, subscriptions, and how full a client's queue is."""

from typing import Any

import orjson
import socketio
from pydantic import ValidationError

from fleet_kit.errors import FleetError
from fleet_kit.token_verifier import TokenVerifier
from monitoring_service.live.clients import LiveClient
from monitoring_service.live.guard import Guard
from monitoring_service.live.schemas import Subscribe
from monitoring_service.live.service import LiveFeed
from monitoring_service.live.subscribe_rate import SubscribeRate


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
            # One event of a client after the other: who sends faster than that waits in the network.
            async_handlers=False,
            http_compression=False,
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
        socket, guard = self._socket(sid), self.guard(sid)
        if abort and guard is not None:
            guard.cut()
        if not abort:
            await self.server.disconnect(sid)
        if socket is not None:
            await socket.close(wait=False, abort=abort)
        if guard is not None:
            guard.dismiss()

    def guard(self, sid: str) -> Guard | None:
        """The guard of a client's connection, None once that has ended."""
        environ = self.server.get_environ(sid)
        return Guard.of(environ) if environ else None

    def _socket(self, sid: str) -> Any:
        eio_sid = self.server.manager.eio_sid_from_sid(sid, "/")
        return self.server.eio.sockets.get(eio_sid)


def connect_handlers(
    transport: SocketIoTransport, feed: LiveFeed, verifier: TokenVerifier, rate: SubscribeRate
) -> None:
    """Tell the server what clients may do."""
    server = transport.server

    async def connect(sid: str, environ: dict[str, Any], auth: Any = None) -> None:
        token = auth.get("token") if isinstance(auth, dict) else None
        guard = Guard.of(environ)
        try:
            principal = await verifier.verify(token if isinstance(token, str) else "")
            guard.admit(principal.user_id, unread=lambda: transport.backlog(sid))
        except FleetError as error:
            guard.dismiss()
            raise socketio.exceptions.ConnectionRefusedError(
                error.message, {"code": error.code, "message": error.message}
            ) from error
        feed.add(LiveClient(sid, principal))

    async def subscribe(sid: str, wanted: Any = None, *others: Any) -> dict[str, Any]:
        if others:
            return _refusal("VALIDATION_FAILED", "subscribe takes one argument")
        return await _subscribe(feed, rate, sid, wanted)

    async def unknown(*_: Any) -> dict[str, Any]:
        return _refusal("UNKNOWN_EVENT", "clients send no event but `subscribe`")

    async def disconnect(sid: str, *_: Any) -> None:
        guard = transport.guard(sid)
        if guard is not None:
            guard.dismiss()  # who is no longer known here has no connection either
        feed.remove(sid)

    server.on("connect", connect)
    server.on("subscribe", subscribe)
    server.on("disconnect", disconnect)
    server.on("*", unknown)


async def _subscribe(feed: LiveFeed, rate: SubscribeRate, sid: str, wanted: Any) -> dict[str, Any]:
    try:
        # Before anything is looked at: a list of a thousand ids costs the process, too.
        await rate.take(feed.client(sid).principal.user_id)
        cursor = await feed.subscribe(sid, Subscribe.model_validate(wanted or {}))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return _refusal("VALIDATION_FAILED", f"{where}: {first['msg']}")
    except FleetError as error:
        return _refusal(error.code, error.message)
    return {"ok": True, "cursor": str(cursor)}


def _refusal(code: str, message: str) -> dict[str, Any]:
    return {"ok": False, "error": {"code": code, "message": message}}
