import httpx
from fastapi import FastAPI

from .conftest import Organization
from .support import device_key, outbox_of, path_of


async def test_reported_event_is_stored_and_told(
    app: FastAPI, organization: Organization, anyone: httpx.AsyncClient
) -> None:
    made = await organization.make_device()
    body = {"event_type": "door.opened", "payload": {"by": "key", "n": 1e300}}
    by_device = await anyone.post(path_of(made, "/events"), json=body, headers=device_key(made))
    by_person = await organization.operator.post(path_of(made, "/events"), json={"event_type": "boot"})
    assert (by_device.status_code, by_person.status_code) == (202, 202)
    assert set(by_device.json()) == {"id"}
    listed = (await organization.viewer.get(path_of(made, "/events"))).json()
    assert [item["event_type"] for item in listed["items"]] == ["boot", "door.opened"]
    assert listed["items"][1]["payload"] == body["payload"]
    assert listed["items"][1]["id"] == by_device.json()["id"]
    event = (await outbox_of(app, made["id"]))[1]
    assert (event["type"], event["data"]["event_type"]) == ("device.event_reported", "door.opened")
    assert event["organizationid"] == str(organization.id)


async def test_events_come_in_pages_and_by_type(organization: Organization) -> None:
    made = await organization.make_device()
    for number in range(5):
        body = {"event_type": f"t{number % 2}", "payload": {"n": number}}
        await organization.operator.post(path_of(made, "/events"), json=body)
    path = path_of(made, "/events")
    body = (await organization.viewer.get(path, params={"page_size": 2})).json()
    seen = [item["payload"]["n"] for item in body["items"]]
    assert body["total"] == 5
    while body["next_cursor"]:
        query = {"page_size": 2, "cursor": body["next_cursor"]}
        body = (await organization.viewer.get(path, params=query)).json()
        seen += [item["payload"]["n"] for item in body["items"]]
    assert seen == [4, 3, 2, 1, 0]
    second = (await organization.viewer.get(path, params={"page_size": 2, "page": 2})).json()
    assert [item["payload"]["n"] for item in second["items"]] == [2, 1]
    odd = (await organization.viewer.get(path, params={"event_type": "t1"})).json()
    assert (odd["total"], [item["payload"]["n"] for item in odd["items"]]) == (2, [3, 1])


async def test_repeated_report_is_stored_once(organization: Organization) -> None:
    made = await organization.make_device()
    headers = {"Idempotency-Key": "event"}
    answers = [
        await organization.operator.post(path_of(made, "/events"), json={"event_type": "x"}, headers=headers)
        for _ in range(2)
    ]
    assert answers[0].json() == answers[1].json()
    assert (await organization.viewer.get(path_of(made, "/events"))).json()["total"] == 1


async def test_devices_may_use_the_same_idempotency_key(
    organization: Organization, anyone: httpx.AsyncClient
) -> None:
    """Devices count. None of them takes a number from another, or from the people of its organisation."""
    for number in range(2):
        made = await organization.make_device()
        headers = device_key(made) | {"Idempotency-Key": "1"}
        body = {"event_type": "boot", "payload": {"n": number}}
        assert (await anyone.post(path_of(made, "/events"), json=body, headers=headers)).status_code == 202
    body = {"name": "by a person", "type": "pump"}
    answer = await organization.operator.post("/api/v1/devices/", json=body, headers={"Idempotency-Key": "1"})
    assert answer.status_code == 201


async def test_a_payload_of_many_values_is_refused(organization: Organization) -> None:
    made = await organization.make_device()
    for count, status in ((1_900, 202), (2_100, 422)):
        body = {"event_type": "x", "payload": {"a": [[]] * count}}
        answer = await organization.operator.post(path_of(made, "/events"), json=body)
        assert answer.status_code == status, answer.text


async def test_events_go_with_their_device(app: FastAPI, organization: Organization) -> None:
    made = await organization.make_device()
    await organization.operator.post(path_of(made, "/events"), json={"event_type": "x"})
    assert (await organization.operator.delete(path_of(made))).status_code == 204
    assert (await organization.viewer.get(path_of(made, "/events"))).status_code == 404
