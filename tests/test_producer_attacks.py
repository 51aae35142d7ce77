"""What a trusted producer's login can send, on purpose or by a bug: it costs nobody else a reading."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from fleet_contracts.topology import TELEMETRY_EXCHANGE, telemetry_key
from fleet_kit.testing import eventually
from fleet_kit.testing_amqp import UNDECODABLE, RawMessage, publish_raw

from .support import producer_url

pytestmark = [pytest.mark.fleet, pytest.mark.attack]
Join = Callable[[], Awaitable[Any]]


async def test_messages_that_cannot_be_decoded_are_listed_and_a_hundred_neighbours_on_each_side_stored(
    join: Join, fleet: dict[str, Any]
) -> None:
    person = await join()
    device, attacked = await person.device(), await person.device()
    key, url = telemetry_key(attacked.id).encode(), producer_url(fleet)
    bad = [
        RawMessage(properties, b'{"id": "bad-%d", "metrics": {"a": 1}}' % number, key)
        for number, properties in enumerate(UNDECODABLE.values())
    ]
    for name in ("before", "after"):
        for n in range(100):
            answer = await device.over_http({"id": f"{name}-{n}", "metrics": {"a": n}})
            assert answer.status_code == 202
        if name == "before":
            await publish_raw(url, TELEMETRY_EXCHANGE, *bad)

    async def settled() -> bool:
        assert len(await person.stored(device)) == 200
        listed = (await person.get("/monitoring/rejected", page_size=200))["items"]
        assert {item["reading_id"] for item in listed} == {f"bad-{n}" for n in range(len(bad))}
        assert {item["code"] for item in listed} == {"UNDECODABLE_PROPERTIES"}
        return all(item["properties"] and item["device_id"] == attacked.id for item in listed)

    await eventually(settled, timeout=90)
    assert await person.stored(attacked) == []
    assert (await _health(fleet)).json()["checks"]["monitoring-worker"] == "ok"


async def test_the_gateways_health_shows_a_worker_that_is_not_there(
    fleet: dict[str, Any], control: Any
) -> None:
    assert (await _health(fleet)).json()["status"] == "ok"
    control.stop("services", "device-worker")

    async def red() -> bool:
        answer = await _health(fleet)
        return answer.status_code == 503 and answer.json()["checks"]["device-worker"] != "ok"

    try:
        await eventually(red)
    finally:
        control.start("services")

    async def well() -> bool:
        return (await _health(fleet)).status_code == 200

    await eventually(well, timeout=90)


async def _health(fleet: dict[str, Any]) -> httpx.Response:
    async with httpx.AsyncClient(base_url=fleet["gateway_url"], timeout=60) as http:
        return await http.get("/health")
