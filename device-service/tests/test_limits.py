"""How many devices, and events of devices, an organisation may have."""

import asyncio
from typing import Any
from uuid import uuid4

import httpx

from .conftest import Organization
from .support import path_of


async def create(organization: Organization) -> httpx.Response:
    body: dict[str, Any] = {"name": f"device-{uuid4()}", "type": "sensor"}
    return await organization.operator.post("/api/v1/devices/", json=body)


async def test_an_organisation_has_a_bounded_number_of_devices(
    organization: Organization, stranger: Organization, platform_admin: httpx.AsyncClient
) -> None:
    path = f"/api/v1/devices/limits/{organization.id}"
    assert (await platform_admin.put(f"{path}/devices", json={"maximum": 3})).status_code == 200
    answers = await asyncio.gather(*(create(organization) for _ in range(10)))
    assert sorted(answer.status_code for answer in answers) == [201] * 3 + [409] * 7
    refused = next(answer.json()["error"] for answer in answers if answer.status_code == 409)
    assert (refused["code"], refused["details"]["maximum"]) == ("LIMIT_REACHED", 3)
    assert (await create(stranger)).status_code == 201
    made = next(answer.json() for answer in answers if answer.status_code == 201)
    assert (await organization.operator.delete(path_of(made))).status_code == 204
    assert (await create(organization)).status_code == 201
    assert (await create(organization)).status_code == 409
    limit, _ = (await platform_admin.get(path)).json()
    assert limit == {"name": "devices", "used": 3, "maximum": 3, "default": 100_000}
    assert (await platform_admin.put(f"{path}/devices", json={"maximum": None})).status_code == 200
    assert (await create(organization)).status_code == 201


async def test_a_device_that_was_refused_does_not_count(
    organization: Organization, platform_admin: httpx.AsyncClient
) -> None:
    made = await organization.make_device()
    taken = {"name": made["name"], "type": "sensor"}
    assert (await organization.operator.post("/api/v1/devices/", json=taken)).status_code == 409
    limit, _ = (await platform_admin.get(f"/api/v1/devices/limits/{organization.id}")).json()
    assert limit["used"] == 1


async def test_limits_are_the_platform_administrators(organization: Organization) -> None:
    path = f"/api/v1/devices/limits/{organization.id}"
    assert (await organization.admin.get(path)).status_code == 403
    assert (await organization.admin.put(f"{path}/devices", json={"maximum": 10})).status_code == 403


async def test_replacing_devices_by_others_of_their_name_never_fails(organization: Organization) -> None:
    """The one deletes and counts, the other waits for the name and counts: in one order, or they deadlock."""
    made = [await organization.make_device() for _ in range(10)]

    async def replace(device: dict[str, Any]) -> set[int]:
        new = {"name": device["name"], "type": "sensor"}
        answers = await asyncio.gather(
            organization.operator.delete(path_of(device)),
            organization.operator.post("/api/v1/devices/", json=new),
        )
        return {answer.status_code for answer in answers}

    outcomes = await asyncio.gather(*(replace(device) for device in made))
    assert set().union(*outcomes) <= {204, 201, 409}
