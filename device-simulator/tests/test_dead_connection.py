"""A connection that goes dead without being closed: the device leaves it and makes a new one."""

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator
from typing import Any

import pytest

from device_simulator.access import Access
from device_simulator.links import amqp, connected, mqtt
from device_simulator.run import simulate


class Proxy:
    """Passes bytes on to a port, until those connections that are open are frozen for ever."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._frozen: set[int] = set()
        self.connections = 0

    def freeze(self) -> None:
        self._frozen.update(range(self.connections + 1))

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        number = self.connections
        upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", self._target)
        await asyncio.gather(
            self._pump(number, reader, upstream_writer), self._pump(number, upstream_reader, writer)
        )

    async def _pump(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                if number not in self._frozen:
                    writer.write(data)
                    await writer.drain()
        writer.close()


@pytest.fixture
async def proxied(request: pytest.FixtureRequest, access: Access) -> AsyncIterator[tuple[str, Proxy, Access]]:
    """A transport, the proxy before its port, and access through the proxy."""
    transport = request.param
    where = access.addresses
    proxy = Proxy(where.mqtt_port if transport == "mqtt" else where.amqp_port)
    server = await asyncio.start_server(proxy.handle, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    there = dataclasses.replace(where, **{f"{transport}_port": port})
    yield transport, proxy, dataclasses.replace(access, addresses=there)
    server.close()


@pytest.mark.parametrize("proxied", ["mqtt", "amqp"], indirect=True)
async def test_a_dead_connection_is_left_and_nothing_is_lost(
    proxied: tuple[str, Proxy, Access],
    make_plan: Any,
    platform: Any,
    until: Any,
    stored_all: Any,
    ledger_lines: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    transport, proxy, access = proxied
    for module in (connected, mqtt, amqp):
        monkeypatch.setattr(module, "CONFIRM_TIMEOUT", 1.0)
    run = asyncio.create_task(simulate(make_plan(transport, devices=2, duration=6.0), access))
    await until(lambda: len(platform.stored) > 10)
    proxy.freeze()
    counts = await asyncio.wait_for(run, 40)

    assert (counts.attempted, counts.accepted, counts.failed) == (240, 240, 0)
    assert proxy.connections >= 4
    await stored_all({line["id"] for line in ledger_lines()})
