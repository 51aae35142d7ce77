"""One call as the gate sees it: its answer can be held back, cut off, or never sent."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from starlette.types import Message, Send


@dataclass(slots=True)
class BufferedResponse:
    """An answer that was made and has not been sent."""

    start: Message = field(default_factory=dict)
    body: bytes = b""

    async def send(self, message: Message) -> None:
        """Take a message of the application."""
        if message["type"] == "http.response.start":
            self.start = dict(message)
        elif message["type"] == "http.response.body":
            self.body += message.get("body", b"")

    async def pass_on(
        self, send: Send, body: bytes, *, status: int | None = None, promised: int | None = None
    ) -> None:
        """Send the answer with another body; `promised` is a length that the body does not keep."""
        length = len(body) if promised is None else promised
        headers = [pair for pair in self.start.get("headers", []) if pair[0].lower() != b"content-length"]
        headers.append((b"content-length", str(length).encode()))
        await send(
            {"type": "http.response.start", "status": status or self.start["status"], "headers": headers}
        )
        await send({"type": "http.response.body", "body": body, "more_body": promised is not None})


class Watch:
    """A `send` that remembers the status."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = 0

    async def __call__(self, message: Message) -> None:
        """Pass the message on."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
        await self._send(message)


async def hang_up(send: Send) -> None:
    """Break the connection under the caller; the server's cycle, to which `send` belongs, holds it."""
    cycle: Any = getattr(send, "__self__", None)
    transport = getattr(cycle, "transport", None)
    if transport is None:
        raise ConnectionResetError("the sandbox dropped the connection")
    # What was written so far has to leave first: a truncated answer is no dropped one.
    transport.close()
    for _ in range(100):
        if getattr(cycle, "disconnected", True):
            return
        await asyncio.sleep(0.01)
