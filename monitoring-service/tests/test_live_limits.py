"""How many live connections there may be."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from fleet_kit.testing import eventually
from fleet_kit.testing_websocket import FEED, RawWebSocket, frame
from monitoring_service.settings import Settings

pytestmark = pytest.mark.attack

Open = Callable[..., Awaitable[RawWebSocket]]
PER_ADDRESS, PER_USER, TOTAL = 3, 2, 8


@pytest.fixture
def settings(settings: Settings) -> Settings:
    limits = {
        "live_connections": TOTAL,
        "live_connections_per_address": PER_ADDRESS,
        "live_connections_per_user": PER_USER,
        "live_connect_seconds": 60.0,
    }
    return settings.model_copy(update=limits)


@pytest.fixture
async def open_from(fleet: Any) -> AsyncIterator[Open]:
    sockets: list[RawWebSocket] = []

    async def open_one(address: str) -> RawWebSocket:
        made = await RawWebSocket.open(str(fleet.http.base_url), FEED, f"X-Forwarded-For: {address}")
        sockets.append(made)
        return made

    yield open_one
    for one in sockets:
        one.close()


async def refusal(made: RawWebSocket) -> tuple[int, str]:
    return made.status, json.loads(await made.body())["error"]["code"]


@pytest.mark.parametrize("address", ["192.0.2.{}", "2001:db8:{}::1"])
async def test_an_address_has_a_bound_and_leaves_room_for_others(open_from: Open, address: str) -> None:
    mine, other = address.format(1), address.format(2)
    first, *_ = [await open_from(mine) for _ in range(PER_ADDRESS)]
    assert await refusal(await open_from(mine)) == (429, "TOO_MANY_CONNECTIONS")
    assert (await open_from(other)).status == 101
    first.close()

    async def room_again() -> bool:
        return (await open_from(mine)).status == 101

    await eventually(room_again)


async def test_the_addresses_of_one_subscriber_count_as_one(open_from: Open) -> None:
    for number in range(PER_ADDRESS):
        assert (await open_from(f"2001:db8:0:7::{number}")).status == 101
    assert (await open_from("2001:db8:0:7:ffff::1")).status == 429


async def test_all_together_have_a_bound_and_strangers_leave_half_of_it(fleet: Any, open_from: Open) -> None:
    made = [await open_from(f"192.0.2.{number}") for number in range(TOTAL // 2)]
    assert {one.status for one in made} == {101}
    assert await refusal(await open_from("192.0.2.99")) == (503, "TOO_MANY_CONNECTIONS")
    for one in made:
        await one.log_in(fleet.tokens.token(fleet.organization))
    for number in range(TOTAL // 2):
        assert (await open_from(f"198.51.100.{number}")).status == 101
    assert await refusal(await open_from("192.0.2.99")) == (503, "TOO_MANY_CONNECTIONS")


async def test_a_user_has_a_bound(fleet: Any, open_from: Open) -> None:
    token = fleet.tokens.token(fleet.organization)
    made = [await open_from(f"192.0.2.{number}") for number in range(PER_USER + 1)]
    for one in made[:PER_USER]:
        await one.log_in(token)
    last = made[-1]
    last.send(frame(f'40{{"token":"{token}"}}'))
    assert "TOO_MANY_CONNECTIONS" in await last.text("44")
    await last.ended()
    made[0].close()

    async def room_again() -> bool:
        one = await open_from("192.0.2.50")
        one.send(frame(f'40{{"token":"{token}"}}'))
        return "sid" in await one.text("4")

    await eventually(room_again)
