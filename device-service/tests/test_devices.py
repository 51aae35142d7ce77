from typing import Any
from uuid import uuid4

import pytest
from fastapi import FastAPI
from sqlalchemy import text

from .conftest import Organization
from .support import make_iccid, outbox_of, outbox_types, path_of, with_check_digit

LIST = "/api/v1/devices/"


async def names(organization: Organization, **query: Any) -> list[str]:
    response = await organization.viewer.get(LIST, params=query)
    assert response.status_code == 200, response.text
    return [item["name"] for item in response.json()["items"]]


async def test_created_device_is_shown_with_its_key_once(app: FastAPI, organization: Organization) -> None:
    iccid = make_iccid()
    made = await organization.make_device(config={"a": [1, 2.5, None]}, tags=["x", "y", "x"], iccid=iccid)
    assert set(made) == {
        *("id", "name", "type", "config", "iccid", "tags", "status"),
        *("created_at", "updated_at", "version", "key"),
    }
    assert made["key"].startswith("dk_")
    assert made["tags"] == ["x", "y"]
    assert made["status"] == "never_seen"
    assert len(made["created_at"]) == len("2026-01-01T00:00:00.000Z")
    read = await organization.viewer.get(path_of(made))
    assert read.json() == {name: value for name, value in made.items() if name != "key"}
    assert read.headers["etag"] == '"1"'
    [event] = await outbox_of(app, made["id"])
    assert event["type"] == "device.registered"
    assert event["organizationid"] == str(organization.id)
    facts = {name: made[name] for name in ("id", "name", "type", "iccid", "tags", "version")}
    assert event["data"] == facts


async def test_name_is_unique_within_an_organisation_only(
    organization: Organization, stranger: Organization
) -> None:
    await organization.make_device(name="pump")
    await stranger.make_device(name="pump")
    response = await organization.operator.post(LIST, json={"name": "pump", "type": "sensor"})
    assert response.status_code == 409
    assert response.json()["error"]["code"] == "DEVICE_NAME_TAKEN"
    other = await organization.make_device()
    for method in ("PUT", "PATCH"):
        body = {"name": "pump", "type": "sensor"}
        response = await organization.operator.request(method, path_of(other), json=body)
        assert response.json()["error"]["code"] == "DEVICE_NAME_TAKEN"


async def test_sim_is_in_one_device_at_a_time(organization: Organization) -> None:
    iccid = make_iccid()
    first = await organization.make_device(iccid=iccid)
    body = {"name": "second", "type": "sensor", "iccid": iccid}
    taken = await organization.operator.post(LIST, json=body)
    assert (taken.status_code, taken.json()["error"]["code"]) == (409, "DEVICE_ICCID_TAKEN")
    await organization.operator.patch(path_of(first), json={"iccid": None})
    assert (await organization.operator.post(LIST, json=body)).status_code == 201


async def test_check_digit_of_a_sim_is_checked_and_left_out(organization: Organization) -> None:
    iccid = make_iccid()
    made = await organization.make_device(iccid=with_check_digit(iccid))
    assert made["iccid"] == iccid
    for form in (iccid, with_check_digit(iccid)):
        assert await names(organization, iccid=form) == [made["name"]]


async def test_repeated_create_is_done_once_and_does_not_show_the_key_again(
    organization: Organization,
) -> None:
    body, headers = {"name": "once", "type": "sensor", "config": {"x": 1e300}}, {"Idempotency-Key": "k1"}
    first = await organization.operator.post(LIST, json=body, headers=headers)
    again = await organization.operator.post(LIST, json=body, headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json() | {"key": None}
    assert await names(organization) == ["once"]
    assert again.headers["ETag"] == first.headers["ETag"]
    other = await organization.operator.post(LIST, json=body | {"name": "else"}, headers=headers)
    assert (other.status_code, other.json()["error"]["code"]) == (409, "IDEMPOTENCY_KEY_REUSED")


async def test_a_key_of_a_create_keeps_no_copy_of_the_device(
    app: FastAPI, organization: Organization
) -> None:
    body, headers = {"name": "large", "type": "t", "config": {"a": "x" * 60_000}}, {"Idempotency-Key": "k"}
    made = (await organization.operator.post(LIST, json=body, headers=headers)).json()
    async with app.state.sessions() as session:
        stored = "SELECT length(body::text) FROM t_idempotency_keys WHERE owner = :owner"
        assert await session.scalar(text(stored), {"owner": str(organization.id)}) < 100
    await organization.operator.delete(path_of(made))
    assert (await organization.operator.post(LIST, json=body, headers=headers)).status_code == 404


async def test_replacing_resets_what_is_left_out(app: FastAPI, organization: Organization) -> None:
    made = await organization.make_device(config={"a": 1}, tags=["x"], iccid=make_iccid())
    response = await organization.operator.put(path_of(made), json={"name": "new name", "type": "meter"})
    assert response.status_code == 200
    device = response.json()
    assert (device["name"], device["type"], device["config"]) == ("new name", "meter", {})
    assert (device["tags"], device["iccid"], device["version"]) == ([], None, 2)
    assert device["updated_at"] >= made["updated_at"]
    assert await outbox_types(app, made["id"]) == ["device.registered", "device.updated"]
    assert (await organization.viewer.get(path_of(made))).json() == device


async def test_patching_changes_only_what_is_named(organization: Organization) -> None:
    made = await organization.make_device(config={"a": 1}, tags=["x"], iccid=make_iccid())
    device = (await organization.operator.patch(path_of(made), json={"tags": []})).json()
    assert device["tags"] == []
    assert (device["config"], device["iccid"], device["name"]) == ({"a": 1}, made["iccid"], made["name"])
    device = (await organization.operator.patch(path_of(made), json={"iccid": None})).json()
    assert (device["iccid"], device["version"]) == (None, 3)


async def test_patch_that_changes_nothing_tells_nobody(app: FastAPI, organization: Organization) -> None:
    made = await organization.make_device(config={"a": 1})
    same = await organization.operator.patch(path_of(made), json={"config": {"a": 1}})
    assert same.json()["version"] == 1
    assert await outbox_types(app, made["id"]) == ["device.registered"]
    other = await organization.operator.patch(path_of(made), json={"config": {"a": True}})
    assert other.json()["config"]["a"] is True


async def test_deleted_device_is_gone(app: FastAPI, organization: Organization) -> None:
    made = await organization.make_device()
    assert (await organization.viewer.get(path_of(made))).status_code == 200
    response = await organization.operator.delete(path_of(made))
    assert (response.status_code, response.content) == (204, b"")
    for path in (path_of(made), path_of(made, "/status"), path_of(made, "/config")):
        missing = await organization.viewer.get(path)
        assert (missing.status_code, missing.json()["error"]["code"]) == (404, "DEVICE_NOT_FOUND")
    events = await outbox_of(app, made["id"])
    assert [event["type"] for event in events] == ["device.registered", "device.deleted"]
    assert events[-1]["data"] == {"id": made["id"], "version": 2}


@pytest.mark.parametrize("header", ['"1"', 'W/"1"', '"7", "1"', "*"])
async def test_matching_precondition_lets_the_change_pass(organization: Organization, header: str) -> None:
    made = await organization.make_device()
    response = await organization.operator.patch(
        path_of(made), json={"type": "meter"}, headers={"If-Match": header}
    )
    assert (response.status_code, response.headers["etag"]) == (200, '"2"')


@pytest.mark.parametrize(
    ("method", "below"), [("PUT", ""), ("PATCH", ""), ("DELETE", ""), ("PUT", "/config")]
)
async def test_stale_precondition_refuses_the_change(
    organization: Organization, method: str, below: str
) -> None:
    made = await organization.make_device()
    await organization.operator.patch(path_of(made), json={"type": "meter"})
    body = None if method == "DELETE" else {} if below or method == "PATCH" else {"name": "x", "type": "y"}
    response = await organization.operator.request(
        method, path_of(made, below), json=body, headers={"If-Match": '"1"'}
    )
    assert (response.status_code, response.json()["error"]["code"]) == (412, "PRECONDITION_FAILED")
    assert response.json()["error"]["details"] == {"version": 2}


async def test_config_is_given_back_unchanged(organization: Organization) -> None:
    made = await organization.make_device()
    config = {"z": 1e300, "a": {"deep": [1, 1.0, True, None, "ü\u2028"]}, "": -0.5, "big": 2**63}
    response = await organization.operator.put(path_of(made, "/config"), json=config)
    assert (response.status_code, response.headers["etag"]) == (200, '"2"')
    for body in (
        response,
        await organization.viewer.get(path_of(made, "/config")),
    ):
        assert body.json() == config
        assert list(body.json()) == list(config)
    assert (await organization.viewer.get(path_of(made))).json()["config"] == config


async def test_list_filters_and_searches(organization: Organization) -> None:
    iccid = make_iccid()
    await organization.make_device(name="Pump 1", type="pump", tags=["north", "wet"], iccid=iccid)
    await organization.make_device(name="Pump 2", type="pump", tags=["north"])
    await organization.make_device(name="100% meter", type="meter")
    assert await names(organization, sort="name", type="pump") == ["Pump 1", "Pump 2"]
    assert await names(organization, tag=["north", "wet"]) == ["Pump 1"]
    assert await names(organization, iccid=iccid) == ["Pump 1"]
    assert await names(organization, search="pump", sort="-name") == ["Pump 2", "Pump 1"]
    assert await names(organization, search="0%") == ["100% meter"]
    assert await names(organization, search="%") == ["100% meter"]
    assert await names(organization, search="mp 1 8") == ["Pump 1"], "name and ICCID, in this order"
    assert await names(organization, search=iccid[3:]) == ["Pump 1"]
    assert await names(organization, status="online") == []
    assert len(await names(organization, status="never_seen")) == 3


@pytest.mark.parametrize("sort", ["name", "-name", "type", "created_at", "-created_at", "-updated_at"])
async def test_pages_by_number_and_by_cursor_hold_the_same(organization: Organization, sort: str) -> None:
    for number in range(5):
        await organization.make_device(name=f"d{number}", type=f"t{number % 2}")
    whole = await names(organization, sort=sort)
    assert len(whole) == 5
    numbered: list[str] = []
    for page in (1, 2, 3):
        body = (
            await organization.viewer.get(LIST, params={"sort": sort, "page": page, "page_size": 2})
        ).json()
        assert (body["total"], body["page"], body["page_size"]) == (5, page, 2)
        numbered += [item["name"] for item in body["items"]]
    assert numbered == whole
    params: dict[str, str | int] = {"sort": sort, "page_size": 2}
    body = (await organization.viewer.get(LIST, params=params)).json()
    followed = [item["name"] for item in body["items"]]
    while body["next_cursor"]:
        body = (await organization.viewer.get(LIST, params=params | {"cursor": body["next_cursor"]})).json()
        assert (body["total"], body["page"]) == (None, None)
        followed += [item["name"] for item in body["items"]]
    assert followed == whole


async def test_viewer_may_read_but_not_change(organization: Organization) -> None:
    made = await organization.make_device()
    viewer = organization.viewer
    refused = [
        await viewer.post(LIST, json={"name": "n", "type": "t"}),
        await viewer.put(path_of(made), json={"name": "n", "type": "t"}),
        await viewer.patch(path_of(made), json={}),
        await viewer.delete(path_of(made)),
        await viewer.put(path_of(made, "/config"), json={}),
        await viewer.post(path_of(made, "/credentials")),
        await viewer.delete(path_of(made, "/credentials")),
        await viewer.post(path_of(made, "/events"), json={"event_type": "x", "payload": {}}),
        await viewer.post(path_of(made, "/telemetry"), json={"metrics": {"a": 1}}),
    ]
    assert [response.status_code for response in refused] == [403] * len(refused)
    unknown = await viewer.delete(path_of(uuid4()))
    assert unknown.status_code == 404


async def test_path_without_slash_works_too(organization: Organization) -> None:
    made = await organization.operator.post("/api/v1/devices", json={"name": "n", "type": "t"})
    assert made.status_code == 201
    assert (await organization.viewer.get("/api/v1/devices")).json()["total"] == 1
