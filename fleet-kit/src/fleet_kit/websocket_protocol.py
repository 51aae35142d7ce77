"""uvicorn's WebSocket connections, with bounds on what one client can make a process keep."""

from typing import Any, Protocol, cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode, Frame
from websockets.http11 import Request

FIRST_MESSAGE_BYTES = 8 * 1024
"""Longest message of a client about which nothing is known yet: a token and little else."""
MAX_FRAGMENTS = 64
"""Frames that one message may have: the size of a message says nothing about empty ones."""
CONTROL = "fleet.websocket_control"
"""Name of the scope's extension that is the connection's WebSocketControl."""


class WebSocketControl(Protocol):
    """What an application may do with a connection, beside what ASGI offers."""

    def allow_message_bytes(self, most: int) -> None:
        """Change how long a message may be, all its fragments together."""

    def abort(self) -> None:
        """End the connection at once, with everything that waits to be sent."""


class BoundedWebSocket(WebSocketsSansIOProtocol):
    """Refuses long messages as soon as their length is known, and answers no pings to who does not read."""

    def allow_message_bytes(self, most: int) -> None:
        """See WebSocketControl."""
        self.conn.max_message_size = most

    def abort(self) -> None:
        """See WebSocketControl."""
        self.transport.abort()

    def handle_connect(self, event: Request) -> None:
        """Begin the handshake; the application runs only after this has returned."""
        super().handle_connect(event)
        if not self.handshake_complete:  # which it is where the request was refused
            extensions = cast(dict[str, Any], self.scope["extensions"])
            extensions[CONTROL] = self

    def handle_cont(self, event: Frame) -> None:
        """Count the fragments of a message."""
        if self.close_sent:
            return
        if len(self.frames) >= MAX_FRAGMENTS:
            self.conn.fail(CloseCode.MESSAGE_TOO_BIG, f"over {MAX_FRAGMENTS} fragments")
            self.handle_parser_exception()
            return
        super().handle_cont(event)

    def handle_parser_exception(self) -> None:
        """Say what is wrong; before the handshake is complete there is no frame to say it in."""
        if self.conn.close_sent is None:
            self.transport.abort()
        else:
            super().handle_parser_exception()

    def handle_ping(self) -> None:
        """Answer, unless answers pile up: RFC 6455 asks only for the one to the last ping."""
        answers = self.conn.data_to_send()
        if self.writable.is_set():
            self.transport.write(b"".join(answers))
