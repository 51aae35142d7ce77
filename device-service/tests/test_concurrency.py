"""Lost updates, tried with two real transactions at once."""

import asyncio

from fastapi import FastAPI

from .conftest import Organization
from .support import outbox_types, path_of


async def test_of_two_changes_to_one_version_exactly_one_wins(organization: Organization) -> None:
    made = await organization.make_device()
    answers = await asyncio.gather(
        *(
            organization.operator.patch(
                path_of(made), json={"config": {"winner": number}}, headers={"If-Match": '"1"'}
            )
            for number in range(4)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200, 412, 412, 412]
    winner = next(answer.json() for answer in answers if answer.status_code == 200)
    assert (await organization.viewer.get(path_of(made))).json() == winner


async def test_concurrent_changes_of_different_fields_are_all_kept(
    app: FastAPI, organization: Organization
) -> None:
    made = await organization.make_device()
    changes = [{"type": "meter"}, {"config": {"a": 1}}, {"tags": ["x"]}, {"name": f"{made['name']}-new"}]
    answers = await asyncio.gather(
        *(organization.operator.patch(path_of(made), json=change) for change in changes)
    )
    assert {answer.status_code for answer in answers} == {200}
    device = (await organization.viewer.get(path_of(made))).json()
    for change in changes:
        assert device | change == device
    assert device["version"] == 5
    assert await outbox_types(app, made["id"]) == ["device.registered", *["device.updated"] * 4]


async def test_of_two_creations_with_one_name_exactly_one_wins(organization: Organization) -> None:
    body = {"name": "contested", "type": "t"}
    answers = await asyncio.gather(
        *(organization.operator.post("/api/v1/devices/", json=body) for _ in range(4))
    )
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]


async def test_concurrent_repetitions_of_one_request_create_one_device(organization: Organization) -> None:
    body, headers = {"name": "retried", "type": "t"}, {"Idempotency-Key": "same"}
    answers = await asyncio.gather(
        *(organization.operator.post("/api/v1/devices/", json=body, headers=headers) for _ in range(4))
    )
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert sum(answer.json()["key"] is not None for answer in answers) == 1


async def test_change_racing_with_delete_leaves_no_trace(app: FastAPI, organization: Organization) -> None:
    made = await organization.make_device()
    changed, deleted = await asyncio.gather(
        organization.operator.patch(path_of(made), json={"type": "meter"}),
        organization.operator.delete(path_of(made)),
    )
    assert deleted.status_code == 204
    assert changed.status_code in {200, 404}
    assert (await organization.viewer.get(path_of(made))).status_code == 404
    assert (await outbox_types(app, made["id"]))[-1] == "device.deleted"
