"""A WebSocket client for tests that sends what no well-kept client would."""

import asyncio
import base64
import os
import socket
from contextlib import suppress
from typing import Self
from urllib.parse import urlsplit

TEXT, BINARY, CLOSE, PING, CONTINUATION = 0x1, 0x2, 0x8, 0x9, 0x0
FEED = "/ws/monitoring/?EIO=4&transport=websocket"


def frame(payload: str | bytes, opcode: int = TEXT, *, final: bool = True, compressed: bool = False) -> bytes:
    """A masked frame; the mask is zero."""
    data = payload.encode() if isinstance(payload, str) else payload
    return frame_head(len(data), opcode, final=final, compressed=compressed) + data


def frame_head(length: int, opcode: int = TEXT, *, final: bool = True, compressed: bool = False) -> bytes:
    """What goes before a payload of so many bytes."""
    first = opcode | (0x80 if final else 0) | (0x40 if compressed else 0)
    if length < 126:
        size = bytes([0x80 | length])
    elif length < 65_536:
        size = bytes([0xFE]) + length.to_bytes(2, "big")
    else:
        size = bytes([0xFF]) + length.to_bytes(8, "big")
    return bytes([first]) + size + bytes(4)


class RawWebSocket:
    """A connection after its handshake was sent; `head` is what the server answered to that."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.head, self.close_code, self.close_reason = "", 0, ""

    @classmethod
    async def open(cls, base_url: str, target: str = FEED, *headers: str) -> Self:
        """Shake hands, or be refused."""
        address = urlsplit(base_url)
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # what is not read is noticed soon
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, (address.hostname, address.port))
        made = cls(*await asyncio.open_connection(sock=connection))
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [
            f"GET {target} HTTP/1.1",
            f"Host: {address.netloc}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Version: 13",
            *headers,
        ]
        made.send("\r\n".join([*lines, "", ""]).encode())
        async with asyncio.timeout(60):
            made.head = (await made._reader.readuntil(b"\r\n\r\n")).decode()
        return made

    @property
    def status(self) -> int:
        """The status of the answer to the handshake."""
        return int(self.head.split()[1])

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._writer.write(data)

    async def message(self) -> tuple[int, bytes]:
        """Opcode and payload of the next frame; raises IncompleteReadError at the end of the connection."""
        first, size = await self._reader.readexactly(2)
        length = size
        if size >= 126:
            length = int.from_bytes(await self._reader.readexactly(2 if size == 126 else 8), "big")
        data = await self._reader.readexactly(length)
        if first & 0xF == CLOSE and length >= 2:
            self.close_code, self.close_reason = int.from_bytes(data[:2], "big"), data[2:].decode()
        return first & 0xF, data

    async def text(self, begin: str) -> str:
        """The next message that begins like this."""
        async with asyncio.timeout(60):
            while True:
                _, data = await self.message()
                if data.startswith(begin.encode()):
                    return data.decode()

    async def log_in(self, token: str) -> None:
        """Send CONNECT with a token, and wait until it is accepted."""
        self.send(frame(f'40{{"token":"{token}"}}'))
        await self.text('40{"sid"')

    async def body(self) -> str:
        """The body of a refusal, which has to say how long it is."""
        headers = dict(line.lower().split(": ", 1) for line in self.head.splitlines()[1:] if line)
        async with asyncio.timeout(60):
            return (await self._reader.readexactly(int(headers["content-length"]))).decode()

    async def ended(self) -> None:
        """Wait until the server has ended the TCP connection."""
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            async with asyncio.timeout(60):
                while True:
                    await self.message()

    @property
    def is_closing(self) -> bool:
        """Whether sending has found out that the connection has ended; nothing need be read for it."""
        return self._writer.transport.is_closing()

    def close(self) -> None:
        """Go away without a word."""
        self._writer.transport.abort()
