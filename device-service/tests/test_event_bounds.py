"""What devices report ends: by a number for each organisation, and by age."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from device_service.device_events import service
from device_service.device_events.models import DeviceEvent
from device_service.device_events.service import EventRetention
from fleet_kit.allowances import Allowances
from fleet_kit.ids import first_uuid7
from fleet_kit.testing import ManualClock

from .conftest import Organization
from .support import path_of


async def report(organization: Organization, device: dict[str, Any]) -> httpx.Response:
    return await organization.operator.post(path_of(device, "/events"), json={"event_type": "x"})


async def used(platform_admin: httpx.AsyncClient, organization: Organization) -> int:
    limits = (await platform_admin.get(f"/api/v1/devices/limits/{organization.id}")).json()
    return int({limit["name"]: limit["used"] for limit in limits}["device_events"])


async def add_old_events(app: FastAPI, organization: Organization, device_id: str, number: int) -> None:
    """Events of 500 days ago, counted as they would have been."""
    then = datetime.now(UTC) - timedelta(days=500)
    first = first_uuid7(then).int
    async with app.state.sessions.begin() as session:
        session.add_all(
            DeviceEvent(
                id=UUID(int=first + one),
                organization_id=organization.id,
                device_id=UUID(device_id),
                event_type="old",
                payload={},
                created_at=then,
            )
            for one in range(number)
        )
        await session.execute(
            text(
                "INSERT INTO t_organization_limits VALUES (:id, 'device_events', :number) ON CONFLICT"
                " (organization_id, name) DO UPDATE SET used = t_organization_limits.used + :number"
            ),
            {"id": organization.id, "number": number},
        )


async def test_an_organisation_has_a_bounded_number_of_events(
    organization: Organization, stranger: Organization, platform_admin: httpx.AsyncClient
) -> None:
    made, others = await organization.make_device(), await stranger.make_device()
    path = f"/api/v1/devices/limits/{organization.id}/device_events"
    assert (await platform_admin.put(path, json={"maximum": 3})).status_code == 200
    answers = await asyncio.gather(*(report(organization, made) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [202] * 3 + [409] * 5
    refused = next(answer.json()["error"] for answer in answers if answer.status_code == 409)
    assert (refused["code"], refused["details"]["limit"]) == ("LIMIT_REACHED", "device_events")
    assert (await organization.viewer.get(path_of(made, "/events"))).json()["total"] == 3
    assert (await report(stranger, others)).status_code == 202


async def test_a_deleted_device_gives_its_events_back(
    organization: Organization, platform_admin: httpx.AsyncClient
) -> None:
    made, kept = await organization.make_device(), await organization.make_device()
    for device in (made, made, kept):
        assert (await report(organization, device)).status_code == 202
    assert await used(platform_admin, organization) == 3
    assert (await organization.operator.delete(path_of(made))).status_code == 204
    assert await used(platform_admin, organization) == 1


async def test_old_events_are_deleted_in_bounded_steps_and_count_no_more(
    app: FastAPI, organization: Organization, stranger: Organization, platform_admin: httpx.AsyncClient
) -> None:
    devices = {owner: await owner.make_device() for owner in (organization, stranger)}
    for owner, device in devices.items():
        assert (await report(owner, device)).status_code == 202
        await add_old_events(app, owner, device["id"], service.SWEEP_ROWS // 2 + 1)
    retention = EventRetention(app.state.sessions, timedelta(days=400))
    # Two workers at once: neither waits for the other's rows.
    deleted = sum(await asyncio.gather(retention.sweep(), retention.sweep())) + await retention.sweep()
    assert deleted == 2 * (service.SWEEP_ROWS // 2 + 1)
    for owner, device in devices.items():
        listed = (await owner.viewer.get(path_of(device, "/events"))).json()
        assert [item["event_type"] for item in listed["items"]] == ["x"]
        assert await used(platform_admin, owner) == 1


async def test_the_sweep_finds_old_events_by_the_primary_key(app: FastAPI) -> None:
    statement = "EXPLAIN SELECT id FROM t_device_events WHERE id < :id ORDER BY id LIMIT 5000"
    async with app.state.sessions() as session:
        await session.execute(text("SET LOCAL enable_seqscan = off"))
        rows = await session.scalars(text(statement), {"id": first_uuid7(datetime.now(UTC))})
        plan = "\n".join(rows)
    assert "pk_t_device_events" in plan


@pytest.fixture
def clock(app: FastAPI) -> Iterator[ManualClock]:
    """Of a service that takes one event in two seconds of each organisation, and three at once."""
    present, clock = app.state.event_allowances, ManualClock()
    app.state.event_allowances = Allowances[UUID](0.5, 3, clock=clock)
    yield clock
    app.state.event_allowances = present


async def test_a_device_that_reports_in_a_loop_is_told_when_to_come_again(
    clock: ManualClock, organization: Organization, stranger: Organization
) -> None:
    made, second, others = [await owner.make_device() for owner in (organization, organization, stranger)]
    assert [(await report(organization, made)).status_code for _ in range(3)] == [202] * 3
    refused = await report(organization, second)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "2")
    assert refused.json()["error"]["code"] == "RATE_LIMITED"
    assert (await report(stranger, others)).status_code == 202
    clock.now += 2
    assert (await report(organization, made)).status_code == 202
    assert (await organization.viewer.get(path_of(made, "/events"))).json()["total"] == 4
