"""Nothing of one organisation may be seen or touched from another, by any path."""

from uuid import uuid4

import httpx

from .conftest import Organization
from .support import device_key, make_iccid, path_of


async def test_other_organisations_device_answers_404_everywhere(
    organization: Organization, stranger: Organization
) -> None:
    made = await organization.make_device()
    # A warm cache must not make a difference.
    assert (await organization.viewer.get(path_of(made))).status_code == 200
    theirs = stranger.admin
    body = {"name": "n", "type": "t"}
    answers = [
        await theirs.get(path_of(made)),
        await theirs.put(path_of(made), json=body),
        await theirs.patch(path_of(made), json={}),
        await theirs.delete(path_of(made)),
        await theirs.get(path_of(made, "/status")),
        await theirs.get(path_of(made, "/config")),
        await theirs.put(path_of(made, "/config"), json={}),
        await theirs.post(path_of(made, "/credentials")),
        await theirs.delete(path_of(made, "/credentials")),
        await theirs.get(path_of(made, "/events")),
        await theirs.post(path_of(made, "/events"), json={"event_type": "x", "payload": {}}),
        await theirs.post(path_of(made, "/telemetry"), json={"metrics": {"a": 1}}),
    ]
    assert [answer.status_code for answer in answers] == [404] * len(answers)
    assert {answer.json()["error"]["code"] for answer in answers} == {"DEVICE_NOT_FOUND"}
    assert (await organization.viewer.get(path_of(made))).json()["version"] == 1


async def test_viewer_of_another_organisation_gets_404_not_403(
    organization: Organization, stranger: Organization
) -> None:
    made = await organization.make_device()
    assert (await stranger.viewer.delete(path_of(made))).status_code == 404


async def test_list_and_search_stay_inside(organization: Organization, stranger: Organization) -> None:
    iccid = make_iccid()
    await organization.make_device(name="secret pump", iccid=iccid, tags=["t"])
    for query in ({}, {"search": "secret"}, {"iccid": iccid}, {"tag": "t"}):
        body = (await stranger.viewer.get("/api/v1/devices/", params=query)).json()
        assert (body["items"], body["total"]) == ([], 0)


async def test_cursor_of_another_organisation_opens_nothing(
    organization: Organization, stranger: Organization
) -> None:
    for _ in range(3):
        await organization.make_device()
    cursor = (await organization.viewer.get("/api/v1/devices/?page_size=1")).json()["next_cursor"]
    body = (await stranger.viewer.get("/api/v1/devices/", params={"cursor": cursor})).json()
    assert body["items"] == []


async def test_same_iccid_elsewhere_is_not_betrayed(
    organization: Organization, stranger: Organization
) -> None:
    iccid = make_iccid()
    await organization.make_device(iccid=iccid)
    await stranger.make_device(iccid=iccid)


async def test_idempotency_key_of_another_organisation_replays_nothing(
    organization: Organization, stranger: Organization
) -> None:
    body, headers = {"name": "n", "type": "t"}, {"Idempotency-Key": "shared"}
    ours = await organization.operator.post("/api/v1/devices/", json=body, headers=headers)
    theirs = await stranger.operator.post("/api/v1/devices/", json=body, headers=headers)
    assert theirs.status_code == 201
    assert ours.json()["id"] != theirs.json()["id"]


async def test_devices_key_opens_only_its_own_device(
    organization: Organization, anyone: httpx.AsyncClient
) -> None:
    mine, other = await organization.make_device(), await organization.make_device()
    for below, body in (("/telemetry", {"metrics": {"a": 1}}), ("/events", {"event_type": "x"})):
        answer = await anyone.post(path_of(other, below), json=body, headers=device_key(mine))
        assert answer.status_code == 404
    read = await anyone.get(path_of(mine), headers=device_key(mine))
    assert read.status_code == 401


async def test_platform_administrator_sees_every_organisation(
    organization: Organization, platform_admin: httpx.AsyncClient
) -> None:
    made = await organization.make_device(tags=[f"tag-{uuid4()}"])
    assert (await platform_admin.get(path_of(made))).status_code == 200
    found = await platform_admin.get("/api/v1/devices/", params={"tag": made["tags"][0]})
    assert found.json()["total"] == 1
    # What an administrator read must not be cached under the administrator's own organisation.
    changed = await platform_admin.patch(path_of(made), json={"type": "meter"})
    assert changed.status_code == 200
    assert (await platform_admin.get(path_of(made))).json()["type"] == "meter"
    assert (await organization.viewer.get(path_of(made))).json()["type"] == "meter"


async def test_without_a_token_nothing_is_shown(anyone: httpx.AsyncClient) -> None:
    for headers in ({}, {"Authorization": "Bearer nonsense"}, {"Authorization": "Basic eDp5"}):
        for path in ("/api/v1/devices/", path_of(uuid4()), path_of(uuid4(), "/status")):
            assert (await anyone.get(path, headers=headers)).status_code == 401
