"""What one live client may cost, and that subscribing anew loses nothing."""

import asyncio
import base64
import json
import os
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import orjson
import psutil
import pytest

from fleet_contracts.topology import telemetry_key
from fleet_kit.failure_router import Delivery
from fleet_kit.testing import eventually


async def test_subscribing_anew_while_readings_come_in_loses_and_repeats_nothing(
    fleet: Any, live: Callable[..., Any]
) -> None:
    device = await fleet.device()
    client = await live()
    begin = (await client.subscribe())["cursor"]

    async def store_each() -> None:
        for number in range(30):
            body = orjson.dumps({"id": f"n{number}", "metrics": {"a": number}})
            await fleet.store(Delivery(body, telemetry_key(device), None, {}, 0, datetime.now(UTC)))

    writing = asyncio.create_task(store_each())
    while not writing.done():
        await client.subscribe(since=begin)
        await asyncio.sleep(0.02)
    await writing
    client.readings.clear()
    await client.subscribe(since=begin)
    expected = [f"n{number}" for number in range(30)]

    async def everything() -> bool:
        return bool(client.ids()[-30:] == expected)

    await eventually(everything)


class DeafClient:
    """A live client on a bare socket with a small buffer, which never reads once it has subscribed."""

    def __init__(self, port: int) -> None:
        self._port, self._socket = port, socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._socket.connect(("127.0.0.1", port))
        self._socket.setblocking(False)

    async def subscribe(self, token: str) -> None:
        key = base64.b64encode(os.urandom(16)).decode()
        await self._say(
            f"GET /ws/monitoring/?EIO=4&transport=websocket HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode(),
            until=b'"sid"',
        )
        await self._say(frame("40" + json.dumps({"token": token})), until=b'40{"sid"')
        await self._say(frame('421["subscribe",{}]'), until=b'"ok":true')

    async def _say(self, data: bytes, until: bytes) -> None:
        loop, heard = asyncio.get_running_loop(), b""
        await loop.sock_sendall(self._socket, data)
        async with asyncio.timeout(10):
            while until not in heard:
                heard += await loop.sock_recv(self._socket, 4096)

    def server_side(self) -> list[str]:
        """States of the server's end of the connection, which is in this process too."""
        mine = self._socket.getsockname()[1]
        ends = psutil.Process().net_connections("tcp4")
        return [
            end.status
            for end in ends
            if end.laddr.port == self._port and end.raddr and end.raddr.port == mine
        ]

    def close(self) -> None:
        self._socket.close()


def frame(text: str) -> bytes:
    """A masked text frame; the mask is zero."""
    data = text.encode()
    size = bytes([0x80 | len(data)]) if len(data) < 126 else bytes([0xFE]) + len(data).to_bytes(2, "big")
    return b"\x81" + size + bytes(4) + data


@pytest.mark.parametrize("revoked", [False, True])
async def test_a_client_that_never_reads_leaves_no_connection_behind(fleet: Any, revoked: bool) -> None:
    device, deaf = await fleet.device(), DeafClient(fleet.settings.port)
    await deaf.subscribe(
        fleet.tokens.token(fleet.organization, lifetime=timedelta(seconds=2 if revoked else 600))
    )
    assert deaf.server_side() == ["ESTABLISHED"]
    metrics = {f"a_metric_with_a_long_name_{number}": number for number in range(90)}

    async def cut() -> bool:
        readings = [{"id": uuid4().hex, "metrics": metrics} for _ in range(50)]
        await fleet.store(
            Delivery(orjson.dumps(readings), telemetry_key(device), None, {}, 0, datetime.now(UTC))
        )
        return "ESTABLISHED" not in deaf.server_side()

    await eventually(cut, timeout=40)  # less than the ping time-out of 45 s
    deaf.close()
