"""The fleet's health as the gateway shows it: every service and every worker."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fastapi import FastAPI

from fleet_infra.servers.ports import free_port
from fleet_kit.health import Degraded, Unwell, add_health
from fleet_kit.http_client import open_http
from fleet_kit.serve import server
from fleet_kit.testing import eventually

SERVICES = ("signing", "device", "sim", "monitoring")
NAMES = {f"{name}-{kind}" for name in SERVICES for kind in ("service", "worker")}


class Neighbours:
    """Stands for all other processes of the fleet at once: each says what this one is told to say."""

    def __init__(self) -> None:
        self.problem: Exception | None = None
        self.asked = 0

    async def check(self) -> None:
        self.asked += 1
        if self.problem is not None:
            raise self.problem


@pytest.fixture
async def neighbours(fleet: Any) -> AsyncIterator[Neighbours]:
    made, app, port = Neighbours(), FastAPI(), free_port()
    add_health(app, lambda: {"consumer": made.check}, remembered_seconds=0)
    instance = server(app, "127.0.0.1", port)
    task = asyncio.create_task(instance._serve())

    async def up() -> bool:
        return bool(instance.started)

    await eventually(up)
    health = fleet.app.state.fleet_health
    health.neighbours = dict.fromkeys(health.neighbours, f"http://127.0.0.1:{port}")
    yield made
    instance.should_exit = True
    await task


async def test_the_fleets_health_names_every_service_and_every_worker(fleet: Any) -> None:
    answer = await fleet.http.get("/internal/fleet-health")
    assert answer.status_code == 503
    assert answer.json()["status"] == "unavailable"
    assert set(answer.json()["checks"]) == NAMES
    assert answer.json()["checks"]["monitoring-service"] == "ok"


async def test_a_fleet_is_as_well_as_the_worst_of_it_and_says_no_reasons(
    fleet: Any, neighbours: Neighbours
) -> None:
    async def said(*expected: object) -> None:
        async def ask() -> bool:
            answer = await fleet.http.get("/internal/fleet-health")
            assert set(answer.json()["checks"]) == NAMES
            body = answer.json()
            assert (answer.status_code, body["status"], body["checks"]["device-worker"]) == expected
            return True

        await eventually(ask)  # for what was said before is remembered for a moment

    await said(200, "ok", "ok")
    neighbours.problem = Degraded("full")
    await said(200, "degraded", "degraded: consumer")
    neighbours.problem = Unwell("restarts")
    await said(503, "unavailable", "unavailable: consumer")


@pytest.mark.attack
async def test_hundreds_who_ask_for_the_health_and_leave_cost_one_round_and_leave_it_as_it_is(
    fleet: Any, neighbours: Neighbours
) -> None:
    async with open_http(timeout_seconds=60, base_url=str(fleet.http.base_url)) as http:
        for _ in range(3):
            leaving = [asyncio.create_task(http.get("/internal/fleet-health")) for _ in range(300)]
            await asyncio.wait(leaving, return_when=asyncio.FIRST_COMPLETED)
            for task in leaving[:200]:
                task.cancel()
            answers = await asyncio.gather(*leaving[200:])
            assert {answer.status_code for answer in answers} == {200}
    assert neighbours.asked < 300
