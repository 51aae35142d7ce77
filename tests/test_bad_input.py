"""Bad input gets a clear error or a place among the rejected; its neighbours are stored."""

import json
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import aio_pika
import pytest

from fleet_kit.testing import eventually

pytestmark = pytest.mark.fleet
Join = Callable[[], Awaitable[Any]]


TELEMETRY = [
    ("malformed", b'{"metrics": {"a": 1}', 400),
    ("invalid UTF-8", b'{"metrics": {"a": "\xff"}}', 400),
    ("unknown field", b'{"metrics": {"a": 1}, "colour": "red"}', 422),
    ("wrong type", b'{"metrics": {"a": "hot"}}', 422),
    ("NaN", b'{"metrics": {"a": NaN}}', 4),
    ("infinity", b'{"metrics": {"a": 1e999}}', 4),
    ("1970", b'{"ts": 0, "metrics": {"a": 1}}', 422),
    ("next year", b'{"ts": "2099-01-01T00:00:00Z", "metrics": {"a": 1}}', 422),
    ("2 MB", b" " * 2_000_000, 413),
    ("1,001 readings", json.dumps([{"metrics": {"a": 1}}] * 1001).encode(), 4),
    ("deep", b"[" * 50_000, 4),
    ("dotted name", b'{"metrics": {"a.b": 1}}', 422),
    ("dollar name", b'{"metrics": {"$a": 1}}', 422),
    ("no metrics", b'{"metrics": {}}', 422),
    ("empty array", b"[]", 422),
    ("empty body", b"", 4),
    ("a number", b"5", 422),
    ("null", b"null", 422),
]


@pytest.mark.parametrize(
    ("body", "status"), [row[1:] for row in TELEMETRY], ids=[row[0] for row in TELEMETRY]
)
async def test_bad_telemetry_over_http_is_a_4xx_in_the_one_error_shape(
    join: Join, body: bytes, status: int
) -> None:
    person = await join()
    device = await person.device()
    headers = {"Authorization": f"Device {device.id}:{device.key}", "Content-Type": "application/json"}
    answer = await person.http.post(f"/devices/{device.id}/telemetry", content=body, headers=headers)
    assert answer.status_code == status or (status == 4 and answer.status_code // 100 == 4), answer.text
    error = answer.json()["error"]
    assert {"code", "message", "details", "request_id"} == set(error)
    assert error["request_id"] == answer.headers["x-request-id"]
    if answer.status_code == 422:
        assert error["details"]["fields"]


async def test_bad_messages_over_mqtt_are_listed_with_their_reason_and_neighbours_are_stored(
    join: Join,
) -> None:
    person = await join()
    device = await person.device()
    bad = [body for _, body, _ in TELEMETRY if 0 < len(body) < 100_000]
    mixed = [
        {"id": "left", "metrics": {"a": 1}},
        {"metrics": {"a.b": 1}},
        {"id": "right", "metrics": {"a": 1}},
    ]
    for body in bad:
        await device.over_mqtt({"id": f"before-{len(body)}-{uuid4().hex[:6]}", "metrics": {"a": 1}}, body)
    await device.over_mqtt(mixed)

    async def settled() -> bool:
        stored = {item["id"] for item in await person.stored(device)}
        rejected = (await person.get("/monitoring/rejected", page_size=200))["items"]
        assert {"left", "right"} <= stored, stored
        assert len(stored) == len(bad) + 2, len(stored)
        assert len(rejected) == len(bad) + 1, [item["reason"] for item in rejected]
        return all(item["reason"] and item["device_id"] == device.id for item in rejected)

    await eventually(settled, timeout=90)


async def test_a_reading_of_a_device_that_nobody_knows_is_rejected_and_blocks_nothing(
    join: Join, fleet: dict[str, Any]
) -> None:
    person = await join()
    device = await person.device()
    unknown = str(uuid4())
    connection = await aio_pika.connect(fleet["amqp_url"])
    async with connection:
        channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        exchange = await channel.get_exchange("amq.topic", ensure=False)
        for routing_key in (f"devices.{unknown}.telemetry", "devices.not-a-uuid.telemetry"):
            await exchange.publish(aio_pika.Message(b'{"metrics": {"a": 1}}'), routing_key)
    await device.over_mqtt({"id": "next", "metrics": {"a": 1}})

    async def stored() -> bool:
        return [item["id"] for item in await person.stored(device)] == ["next"]

    await eventually(stored, timeout=90)


DEVICES = [
    ({"name": "x"}, "type"),
    ({"type": "y"}, "name"),
    ({"name": "", "type": "y"}, "name"),
    ({"name": "x" * 1000, "type": "y"}, "name"),
    ({"name": "x", "type": "y", "colour": "red"}, "colour"),
    ({"name": 5, "type": "y"}, "name"),
    ({"name": "x", "type": "y", "iccid": "8988"}, "iccid"),
    ({"name": "x", "type": "y", "config": []}, "config"),
    ({"name": "x", "type": "y", "tags": "red"}, "tags"),
]


@pytest.mark.parametrize(("body", "field"), DEVICES)
async def test_bad_devices_are_refused_naming_the_field(join: Join, body: Any, field: str) -> None:
    person = await join()
    answer = await person.call("POST", "/devices/", json=body)
    assert answer.status_code == 422, answer.text
    assert answer.json()["error"]["details"]["fields"][0]["field"].startswith(field)


async def test_a_name_is_used_once_per_organisation(join: Join) -> None:
    mine, other = await join(), await join()
    body = {"name": "pump", "type": "y"}
    assert (await mine.call("POST", "/devices/", json=body)).status_code == 201
    assert (await mine.call("POST", "/devices/", json=body)).status_code == 409
    assert (await other.call("POST", "/devices/", json=body)).status_code == 201


@pytest.mark.parametrize("path", ["/devices/", "/users/", "/sims", "/monitoring/data", "/monitoring/latest"])
@pytest.mark.parametrize("query", ["page_size=0", "page_size=100000", "page_size=x", "cursor=%21%21"])
async def test_impossible_pages_are_refused(join: Join, path: str, query: str) -> None:
    person = await join()
    answer = await person.call("GET", f"{path}?{query}")
    assert answer.status_code == 422, f"{path}?{query}: {answer.text}"
    assert answer.json()["error"]["details"]["fields"][0]["field"] == query.partition("=")[0]


@pytest.mark.parametrize(
    "query",
    [
        "from=yesterday",
        "from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z",
        "interval=5x",
        "interval=5m&agg=mode",
    ],
)
async def test_impossible_questions_about_data_are_refused(join: Join, query: str) -> None:
    person = await join()
    device = await person.device()
    answer = await person.call("GET", f"/monitoring/data/{device.id}?{query}")
    assert answer.status_code == 422, answer.text


@pytest.mark.parametrize(
    "path",
    ["/devices/x", "/devices/%00", "/monitoring/data/x", "/sims/x", "/nothing", "/devices/" + "9" * 500],
)
async def test_ids_that_cannot_be_are_a_4xx(join: Join, path: str) -> None:
    person = await join()
    answer = await person.call("GET", path)
    assert answer.status_code in {400, 404, 422}
    assert "error" in answer.json()
