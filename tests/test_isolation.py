"""Two organisations share a platform and never see each other. By id: attack/test_matrix.py."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from fleet_kit.testing import eventually

pytestmark = pytest.mark.fleet
Join = Callable[[], Awaitable[Any]]


async def test_lists_data_and_numbers_hold_only_ones_own(join: Join) -> None:
    mine, other = await join(), await join()
    device = await mine.device()
    await device.over_http([{"id": "r", "metrics": {"a": 1}}])

    async def stored() -> bool:
        return bool(await mine.stored(device))

    await eventually(stored, timeout=90)
    assert (await other.get("/devices/"))["items"] == []
    assert (await other.get("/monitoring/data"))["items"] == []
    assert (await other.get("/monitoring/latest"))["items"] == []
    assert (await other.get("/sims"))["items"] == []
    numbers = await other.get("/monitoring/stats")
    assert (numbers["devices"], numbers["readings_total"]) == (0, 0)
    assert [user["email"] for user in (await other.get("/users/"))["items"]] == [other.email]


async def test_a_live_feed_takes_no_device_of_others_and_carries_no_reading_of_others(
    join: Join, listen: Callable[..., Awaitable[Any]]
) -> None:
    mine, other = await join(), await join()
    device, theirs = await mine.device(), await other.device()
    spy = await listen(other.tokens["access_token"])
    refused = await spy.subscribe(devices=[device.id])
    assert refused["ok"] is False
    assert refused["error"]["code"] == "DEVICE_NOT_FOUND"
    assert (await spy.subscribe())["ok"]
    await device.over_http([{"id": "secret", "metrics": {"a": 1}}])
    await theirs.over_http([{"id": "own", "metrics": {"a": 1}}])

    async def own() -> bool:
        return bool(spy.ids() == ["own"])

    await eventually(own, timeout=90)


async def test_the_platform_administrator_sees_all(join: Join, fleet: dict[str, Any]) -> None:
    mine = await join()
    device = await mine.device()
    login = {"email": fleet["admin_email"], "password": fleet["admin_password"]}
    mine.tokens = (await mine.http.post("/auth/login", json=login)).json()
    assert (await mine.call("GET", f"/devices/{device.id}")).status_code == 200
    assert (await mine.call("GET", f"/monitoring/data/{device.id}")).status_code == 200
