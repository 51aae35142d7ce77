"""Whatever is sent: a 4xx in the one error shape that names the field, never a 500."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from fleet_kit.pagination import encode_cursor

from .conftest import Organization
from .support import device_key, path_of

LIST = "/api/v1/devices/"
GOOD: dict[str, Any] = {"name": "n", "type": "t"}
DEEP = json.loads('{"a":' * 11 + "1" + "}" * 11)
NEXT_YEAR = (datetime.now(UTC) + timedelta(days=366)).isoformat()


def check(response: httpx.Response, status: int, code: str, field: str | None = None) -> None:
    assert response.status_code == status, response.text
    error = response.json()["error"]
    assert error["code"] == code
    assert set(error) == {"code", "message", "details", "request_id"}
    assert error["request_id"]
    if field is not None:
        named = [entry["field"] for entry in error["details"]["fields"]]
        assert any(name == field or name.startswith(f"{field}.") for name in named), named


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"colour": "red"}, "colour"),
        ({"name": None}, "name"),
        ({"name": 7}, "name"),
        ({"name": ""}, "name"),
        ({"name": "   "}, "name"),
        ({"name": "x" * 129}, "name"),
        ({"name": "a\x00b"}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": "\ud800"}, "name"),
        ({"type": ["t"]}, "type"),
        ({"type": True}, "type"),
        ({"config": []}, "config"),
        ({"config": "x"}, "config"),
        ({"config": {"a": float("nan")}}, "config"),
        ({"config": {"a": [float("-inf")]}}, "config"),
        ({"config": {"a": 2**64}}, "config"),
        ({"config": {"a": "\x00"}}, "config"),
        ({"config": {"\ud800": 1}}, "config"),
        ({"config": DEEP}, "config"),
        ({"config": {"a": "x" * 65536}}, "config"),
        ({"iccid": "123"}, "iccid"),
        ({"iccid": "89882280666000000120"}, "iccid"),
        ({"iccid": "8" * 21}, "iccid"),
        ({"iccid": 8988228066600000012}, "iccid"),
        ({"iccid": "٨٩٨٨٢٢٨٠٦٦٦٠٠٠٠٠٠١٢"}, "iccid"),
        ({"tags": "x"}, "tags"),
        ({"tags": {"a": "b"}}, "tags"),
        ({"tags": [["x"]]}, "tags"),
        ({"tags": [""]}, "tags"),
        ({"tags": ["x" * 65]}, "tags"),
        ({"tags": [str(number) for number in range(51)]}, "tags"),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
async def test_bad_field_is_named(
    organization: Organization, method: str, change: dict[str, Any], field: str
) -> None:
    path = LIST if method == "POST" else path_of(uuid4())
    body = json.dumps(GOOD | change)
    response = await organization.operator.request(method, path, content=body)
    check(response, 422, "VALIDATION_FAILED", field)


@pytest.mark.parametrize("missing", ["name", "type"])
async def test_missing_field_is_named(organization: Organization, missing: str) -> None:
    body = {name: value for name, value in GOOD.items() if name != missing}
    check(await organization.operator.post(LIST, json=body), 422, "VALIDATION_FAILED", missing)


@pytest.mark.parametrize("body", [b"{", b'{"name": ', b"\xff\xfe", b'{"name": "\xff"}', b"[" * 100_000])
@pytest.mark.parametrize("below", ["", "/config", "/events", "/telemetry"])
async def test_malformed_json_is_refused(organization: Organization, below: str, body: bytes) -> None:
    made = await organization.make_device()
    method = "POST" if below in {"/events", "/telemetry"} else "PUT"
    response = await organization.operator.request(
        method, path_of(made, below), content=body, headers={"Content-Type": "application/json"}
    )
    assert response.status_code == 400, response.text
    assert response.json()["error"]["code"] in {"MALFORMED_JSON", "BAD_REQUEST"}


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b'"x"', b"1", b"true"])
async def test_body_that_is_no_object_is_refused(organization: Organization, body: bytes) -> None:
    made = await organization.make_device()
    for method, path in (
        ("POST", LIST),
        ("PUT", path_of(made)),
        ("PATCH", path_of(made)),
        ("PUT", path_of(made, "/config")),
        ("POST", path_of(made, "/events")),
    ):
        check(await organization.operator.request(method, path, content=body), 422, "VALIDATION_FAILED")


@pytest.mark.parametrize("below", ["", "/config", "/events", "/telemetry"])
async def test_two_megabytes_are_refused(organization: Organization, below: str) -> None:
    made = await organization.make_device()
    method = "POST" if below in {"/events", "/telemetry"} else "PUT"
    body = json.dumps({"a": "x" * 2_000_000})
    check(
        await organization.operator.request(method, path_of(made, below), content=body),
        413,
        "PAYLOAD_TOO_LARGE",
    )


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"page": 0}, "page"),
        ({"page": -1}, "page"),
        ({"page": "x"}, "page"),
        ({"page": 10**30}, "page"),
        ({"page": 1_000_000, "page_size": 200}, "page"),
        ({"page_size": 0}, "page_size"),
        ({"page_size": 201}, "page_size"),
        ({"cursor": "nonsense"}, "cursor"),
        ({"cursor": "W10"}, "cursor"),
        ({"cursor": "é"}, "cursor"),
        ({"status": "asleep"}, "status"),
        ({"sort": "key_hash"}, "sort"),
        ({"search": "a\x00"}, "search"),
        ({"tag": "a\x00"}, "tag"),
        ({"type": "\x00"}, "type"),
        ({"iccid": "x" * 21}, "iccid"),
    ],
)
async def test_bad_query_is_named(organization: Organization, query: dict[str, Any], field: str) -> None:
    check(await organization.viewer.get(LIST, params=query), 422, "VALIDATION_FAILED", field)


@pytest.mark.parametrize(
    "values",
    [
        ["-created_at", "yesterday", str(uuid4())],
        ["-created_at", "2026-01-01T00:00:00", str(uuid4())],
        ["-created_at", 5, str(uuid4())],
        ["-created_at", datetime.now(UTC).isoformat(), "x"],
        ["-created_at", datetime.now(UTC).isoformat(), 7],
        ["name", "a", str(uuid4())],
        [None, None, None],
    ],
)
async def test_forged_cursor_is_refused(organization: Organization, values: list[Any]) -> None:
    response = await organization.viewer.get(LIST, params={"cursor": encode_cursor(values)})
    check(response, 422, "VALIDATION_FAILED", "cursor")


async def test_forged_cursor_with_a_nul_is_refused(organization: Organization) -> None:
    cursor = encode_cursor(["name", "a\x00", str(uuid4())])
    response = await organization.viewer.get(LIST, params={"sort": "name", "cursor": cursor})
    check(response, 422, "VALIDATION_FAILED", "cursor")
    made = await organization.make_device()
    for value in ("x", 7, None, "a\x00"):
        cursor = encode_cursor([value])
        response = await organization.viewer.get(path_of(made, "/events"), params={"cursor": cursor})
        check(response, 422, "VALIDATION_FAILED", "cursor")


async def test_impossible_id_is_named(organization: Organization) -> None:
    for device_id in ("x", "00000000-0000-0000-0000-00000000000g", "%00", "null"):
        check(await organization.viewer.get(path_of(device_id)), 422, "VALIDATION_FAILED", "device_id")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "event_type"),
        ({"event_type": ""}, "event_type"),
        ({"event_type": "a b"}, "event_type"),
        ({"event_type": "x" * 65}, "event_type"),
        ({"event_type": 5, "payload": {}}, "event_type"),
        ({"event_type": "x", "payload": []}, "payload"),
        ({"event_type": "x", "payload": None}, "payload"),
        ({"event_type": "x", "payload": DEEP}, "payload"),
        ({"event_type": "x", "payload": {"a": float("inf")}}, "payload"),
        ({"event_type": "x", "payload": {}, "more": 1}, "more"),
    ],
)
async def test_bad_event_is_named(organization: Organization, body: dict[str, Any], field: str) -> None:
    made = await organization.make_device()
    content = json.dumps(body)
    response = await organization.operator.post(path_of(made, "/events"), content=content)
    check(response, 422, "VALIDATION_FAILED", field)


@pytest.mark.parametrize(
    ("reading", "field"),
    [
        ({}, "metrics"),
        ({"metrics": {}}, "metrics"),
        ({"metrics": []}, "metrics"),
        ({"metrics": {"a": "1"}}, "metrics.a"),
        ({"metrics": {"a": True}}, "metrics.a"),
        ({"metrics": {"a": None}}, "metrics.a"),
        ({"metrics": {"a": {"b": 1}}}, "metrics.a"),
        ({"metrics": {"a": 2**60}}, "metrics.a"),
        ({"metrics": {"a.b": 1}}, "metrics.a.b"),
        ({"metrics": {"$a": 1}}, "metrics.$a"),
        ({"metrics": {"": 1}}, "metrics"),
        ({"metrics": {"a\n": 1}}, "metrics.a\n"),
        ({"metrics": {"a": 1}, "id": "x\n"}, "id"),
        ({"metrics": {"a": 1}, "ts": 0}, "ts"),
        ({"metrics": {"a": 1}, "ts": "1970-01-01T00:00:00Z"}, "ts"),
        ({"metrics": {"a": 1}, "ts": NEXT_YEAR}, "ts"),
        ({"metrics": {"a": 1}, "ts": "2026-01-01T00:00:00"}, "ts"),
        ({"metrics": {"a": 1}, "ts": "now"}, "ts"),
        ({"metrics": {"a": 1}, "ts": 10**300}, "ts"),
        ({"metrics": {"a": 1}, "ts": True}, "ts"),
        ({"metrics": {"a": 1}, "id": 5}, "id"),
        ({"metrics": {"a": 1}, "id": ""}, "id"),
        ({"metrics": {"a": 1}, "id": "x" * 65}, "id"),
        ({"metrics": {"a": 1}, "tags": ["x"]}, "tags"),
        ({"metrics": {"a": 1}, "tags": {"x": 1}}, "tags.x"),
        ({"metrics": {"a": 1}, "extra": 1}, "extra"),
        ({"metrics": DEEP}, "metrics.a"),
    ],
)
async def test_bad_reading_is_named_and_its_neighbours_are_not_taken(
    organization: Organization, anyone: httpx.AsyncClient, reading: dict[str, Any], field: str
) -> None:
    made = await organization.make_device()
    path, headers = path_of(made, "/telemetry"), device_key(made)
    check(await anyone.post(path, json=reading, headers=headers), 422, "VALIDATION_FAILED", field)
    body = [{"metrics": {"a": 1}}, reading]
    check(await anyone.post(path, json=body, headers=headers), 422, "VALIDATION_FAILED", f"1.{field}")


@pytest.mark.parametrize("body", ["NaN", '{"metrics":{"a":NaN}}', '{"metrics":{"a":Infinity}}', "", "nul"])
async def test_telemetry_that_is_not_json_is_refused(organization: Organization, body: str) -> None:
    made = await organization.make_device()
    response = await organization.operator.post(path_of(made, "/telemetry"), content=body)
    check(response, 400, "MALFORMED_JSON")


@pytest.mark.parametrize("body", ["null", "5", '"x"', "[]", "[[]]", "[null]"])
async def test_telemetry_that_is_no_reading_is_refused(organization: Organization, body: str) -> None:
    made = await organization.make_device()
    response = await organization.operator.post(path_of(made, "/telemetry"), content=body)
    check(response, 422, "VALIDATION_FAILED")


async def test_1001_readings_are_refused(organization: Organization) -> None:
    made = await organization.make_device()
    body = [{"metrics": {"a": 1}}] * 1001
    response = await organization.operator.post(path_of(made, "/telemetry"), json=body)
    check(response, 422, "VALIDATION_FAILED")
    assert "1000" in response.json()["error"]["message"]


async def test_overflowing_number_is_refused(organization: Organization) -> None:
    made = await organization.make_device()
    body = '{"metrics":{"a":1e999}}'
    response = await organization.operator.post(path_of(made, "/telemetry"), content=body)
    assert response.status_code in {400, 422}
    config = await organization.operator.put(path_of(made, "/config"), content='{"a": 1e999}')
    check(config, 422, "VALIDATION_FAILED")


async def test_unknown_device_answers_404(organization: Organization) -> None:
    for below, body in (("/telemetry", {"metrics": {"a": 1}}), ("/events", {"event_type": "x"})):
        response = await organization.operator.post(path_of(uuid4(), below), json=body)
        check(response, 404, "DEVICE_NOT_FOUND")
