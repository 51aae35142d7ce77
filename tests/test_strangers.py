"""Strangers at the gateway of a whole fleet: what they can make it keep, and what of them is written down."""

import asyncio
import json
import zlib
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from fleet_kit.testing import eventually
from fleet_kit.testing_websocket import FEED, PING, TEXT, RawWebSocket, frame

from .attack.memory import peak_memory

pytestmark = [pytest.mark.fleet, pytest.mark.attack]
Join = Callable[[], Awaitable[Any]]
SOCKETS = 40
MOST_GROWTH = 100 * 1024 * 1024
"""Bytes; without bounds this attack takes 170 MB."""


def bomb(size: int) -> bytes:
    """So many bytes that stay small on their way, as permessage-deflate sends them."""
    compressor = zlib.compressobj(wbits=-12)
    return compressor.compress(b" " * size) + compressor.flush(zlib.Z_SYNC_FLUSH)


async def test_unfinished_messages_of_strangers_cost_no_memory_and_end(
    fleet: dict[str, Any], control: Any
) -> None:
    pid = control.pid("monitoring-service")
    before = peak_memory(pid)
    attacks = [
        frame(bomb(15_000_000), TEXT, final=False, compressed=True),
        frame(b" " * 900_000, TEXT, final=False),
        frame("", PING) * 20_000,
        b"",
    ]
    extensions = "Sec-WebSocket-Extensions: permessage-deflate"
    made = [await RawWebSocket.open(fleet["gateway_url"], FEED, extensions) for _ in range(SOCKETS)]
    assert {one.status for one in made} == {101}
    for number, one in enumerate(made):
        one.send(attacks[number % len(attacks)])
    await asyncio.gather(*(one.ended() for one in made))
    assert peak_memory(pid) - before < MOST_GROWTH


async def test_a_made_up_token_is_limited_and_an_honest_neighbour_is_not(
    fleet: dict[str, Any], join: Join
) -> None:
    person = await join()
    device = await person.device()
    url = f"{fleet['gateway_url']}/api/v1/devices/{device.id}/telemetry"
    seen: Counter[int] = Counter()
    honest: Counter[int] = Counter()

    async def strangers(http: httpx.AsyncClient) -> None:
        for _ in range(60):
            headers = {"Authorization": f"Device {uuid4()}:{uuid4().hex}"}
            seen[(await http.post(url, json={"metrics": {"a": 1}}, headers=headers)).status_code] += 1

    assert (await device.over_http({"metrics": {"a": 1}})).status_code == 202
    async with httpx.AsyncClient(timeout=60) as http:

        async def limited() -> bool:
            await asyncio.gather(*(strangers(http) for _ in range(20)))
            honest[(await device.over_http({"metrics": {"a": 1}})).status_code] += 1
            return seen[429] > 0

        await eventually(limited, timeout=120)
    assert seen.keys() == {401, 429}
    assert honest.keys() == {202}


@pytest.mark.parametrize("path", ["/sims/", "/monitoring/data/", "/users"])
async def test_a_redirect_leads_to_no_host_that_a_request_names(
    http: httpx.AsyncClient, join: Join, path: str
) -> None:
    names = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "gopher"}
    answer = await http.get(path, headers=(await join()).headers | names)
    assert "evil" not in answer.text + str(answer.headers)
    if answer.is_redirect:
        assert answer.headers["location"].startswith("/api/v1/")


async def test_secrets_in_addresses_are_in_no_log(fleet: dict[str, Any], http: httpx.AsyncClient) -> None:
    secret = uuid4().hex
    for path in ("/devices/", "/sims", "/monitoring/latest", "/auth/me", "/devices"):
        await http.get(path, params={"token": secret})
    refused = await RawWebSocket.open(fleet["gateway_url"], f"{FEED}&token={secret}")
    assert refused.status == 400
    assert json.loads(await refused.body())["error"]["code"] == "UNKNOWN_PARAMETER"
    taken = await RawWebSocket.open(fleet["gateway_url"], f"{FEED}&t={secret}")
    assert taken.status == 101
    taken.close()
    # One line of each service's log that comes after all of these.
    marker = f"marker-{secret[:8]}"
    paths = ("/devices/", "/sims", "/monitoring/latest", "/auth/me")
    for number, path in enumerate(paths):
        await http.get(path, headers={"X-Request-ID": f"{marker}-{number}"})

    def written() -> str:
        return "".join(file.read_text(errors="replace") for file in Path(fleet["logs"]).rglob("*.log"))

    async def logged() -> bool:
        return all(f"{marker}-{number}" in written() for number in range(len(paths)))

    await eventually(logged)
    assert secret not in written()
