"""One live connection as the server sees it: what its client may send, and by when it has to be known."""

import asyncio
from collections.abc import Callable, MutableMapping
from contextlib import suppress
from enum import Enum
from typing import Any
from uuid import UUID

from fleet_kit.errors import Unavailable
from fleet_kit.middleware import Message, Receive, Send
from fleet_kit.websocket_protocol import CONTROL, WebSocketControl
from monitoring_service.live.connection_limit import ConnectionLimit
from monitoring_service.live.messages import Kind, kind_of

MESSAGE_BYTES = 128 * 1024
"""Longest message of a known client; a subscription to 1,000 devices and 1,000 SIMs has half of it."""
UNREAD_PACKETS = 256
"""Packets that may wait for a client which goes on asking without reading the answers."""
GOODBYE_SECONDS = 1.0
"""How long a client may take to read why its connection ends."""
_NORMAL, _REFUSED = 1000, 1008
_GONE: Message = {"type": "websocket.disconnect", "code": _REFUSED}


class _State(Enum):
    NEW = "new"
    CONNECTING = "connecting"
    ADMITTED = "admitted"
    ENDING = "ending"


class Guard:
    """Stands between a client and Socket.IO; with its end the connection ends, whatever the client does."""

    def __init__(
        self,
        scope: MutableMapping[str, Any],
        receive: Receive,
        send: Send,
        limit: ConnectionLimit,
        *,
        connect_seconds: float,
    ) -> None:
        self._receive, self._send, self._limit = receive, send, limit
        self._control: WebSocketControl = scope["extensions"][CONTROL]
        self._state = _State.NEW
        self._user_id: UUID | None = None
        self._unread: Callable[[], int] = int
        self._goodbye: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._deadline = self._loop.call_later(connect_seconds, self.end, "no accepted token in time")
        scope["extensions"][__name__] = self

    @classmethod
    def of(cls, environ: MutableMapping[str, Any]) -> "Guard":
        """The guard of the connection that Socket.IO knows by this environment."""
        guard: Guard = environ["asgi.scope"]["extensions"][__name__]
        return guard

    async def receive(self) -> Message:
        """The client's next message if it may send it, otherwise the end of the connection."""
        message = await self._receive()
        if message["type"] != "websocket.receive":
            return message
        if self._state is _State.ENDING:
            return _GONE
        try:
            kind = kind_of(message.get("text"))
            self._expect(kind)
        except ValueError as error:
            self.end(str(error))
            return _GONE
        if kind is Kind.GOODBYE:
            self.end("", code=_NORMAL)
        if kind is Kind.EVENT and self._unread() > UNREAD_PACKETS:
            self.cut()
            return _GONE
        return message

    def admit(self, user_id: UUID, *, unread: Callable[[], int]) -> None:
        """Somebody known: no deadline, longer messages. `unread` says how many packets wait for the client.

        Raises TooManyRequests, Unavailable if too late.
        """
        if self._state is not _State.CONNECTING:
            raise Unavailable("the token could not be checked in time")
        self._limit.enter_user(user_id)
        self._state, self._user_id, self._unread = _State.ADMITTED, user_id, unread
        self._deadline.cancel()
        self._control.allow_message_bytes(MESSAGE_BYTES)

    def dismiss(self) -> None:
        """Nobody known: the connection ends once the client has had time to read why."""
        self._state = _State.ENDING
        self._deadline.cancel()
        self._deadline = self._loop.call_later(GOODBYE_SECONDS, self._control.abort)

    def end(self, reason: str, *, code: int = _REFUSED) -> None:
        """End the connection in good order, and cut it a little later."""
        if self._goodbye is None:
            self._state = _State.ENDING
            self._goodbye = self._loop.create_task(self._say_goodbye(reason, code))
            self._loop.call_later(GOODBYE_SECONDS, self._control.abort)

    def cut(self) -> None:
        """End the connection at once."""
        self._state = _State.ENDING
        self._control.abort()

    def finish(self) -> None:
        """The application has done with the connection."""
        self._deadline.cancel()
        # What the client does not read would otherwise keep the connection open for ever.
        self._loop.call_later(GOODBYE_SECONDS, self._control.abort)
        if self._user_id is not None:
            self._limit.leave_user(self._user_id)
            self._user_id = None

    def _expect(self, kind: Kind) -> None:
        if kind is Kind.CONNECT:
            if self._state is not _State.NEW:
                raise ValueError("this connection has sent a CONNECT already")
            self._state = _State.CONNECTING
        elif kind is Kind.EVENT and self._state is not _State.ADMITTED:
            raise ValueError("events are taken only after a CONNECT with a token")

    async def _say_goodbye(self, reason: str, code: int) -> None:
        with suppress(Exception):  # of a connection that has ended meanwhile
            await self._send({"type": "websocket.close", "code": code, "reason": reason})
