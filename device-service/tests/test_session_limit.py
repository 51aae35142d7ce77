"""How many MQTT sessions a device and an organisation may have; the broker lists what the test says."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import FastAPI

from device_service.broker.session_census import KEY, SessionCensus
from device_service.broker.session_limit import MAX_CLIENT_ID, SessionLimit
from fleet_kit.errors import Unavailable

from .conftest import Organization

pytestmark = pytest.mark.attack
PER_DEVICE, TOTAL = 3, 10


class Broker:
    """The management API. `sessions`: the user of each that is open."""

    def __init__(self) -> None:
        self.sessions: list[str] = []
        self.asked: list[str] = []
        self.is_away = False

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.path)
        if self.is_away:
            raise httpx.ConnectError("away")
        if request.url.path == "/api/overview":
            return httpx.Response(200, json={"object_totals": {"connections": len(self.sessions)}})
        if request.url.path == "/api/vhosts/devices/connections":
            return httpx.Response(200, json=[{"user": user} for user in self.sessions])
        mine = [user for user in self.sessions if request.url.path.endswith(user)]
        return httpx.Response(200, json=mine)


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
async def management(broker: Broker) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.MockTransport(broker), base_url="http://broker") as client:
        yield client


@pytest.fixture
async def limit(app: FastAPI, management: httpx.AsyncClient) -> AsyncIterator[SessionLimit]:
    yield SessionLimit(app.state.redis, management, per_device=PER_DEVICE, max_sessions=TOTAL)
    await app.state.redis.delete(KEY)


@pytest.fixture
def census(app: FastAPI, management: httpx.AsyncClient) -> SessionCensus:
    return SessionCensus(
        app.state.authenticator, management, app.state.redis, vhost="devices", max_sessions=TOTAL
    )


async def log_in(limit: SessionLimit, broker: Broker, device: UUID, organization: UUID, name: str) -> bool:
    admitted = await limit.admits(device, organization, name)
    broker.sessions += [str(device)] * admitted
    return admitted


async def test_a_device_has_so_many_sessions_however_often_it_tries(
    limit: SessionLimit, broker: Broker
) -> None:
    device, organization = uuid4(), uuid4()
    outcomes = [await log_in(limit, broker, device, organization, f"c{number}") for number in range(50)]
    assert outcomes[:PER_DEVICE] == [True] * PER_DEVICE
    assert not any(outcomes[PER_DEVICE:])
    assert await log_in(limit, broker, uuid4(), organization, "neighbour")


async def test_many_short_sessions_one_after_the_other_are_all_admitted(limit: SessionLimit) -> None:
    """mosquitto_pub, as it comes, opens one under a new client id for each message."""
    device, organization = uuid4(), uuid4()
    assert all([await limit.admits(device, organization, f"c{number}") for number in range(4 * PER_DEVICE)])


async def test_a_clock_that_is_set_back_locks_nobody_out(
    limit: SessionLimit, monkeypatch: pytest.MonkeyPatch
) -> None:
    device, organization = uuid4(), uuid4()
    for number in range(PER_DEVICE):
        assert await limit.admits(device, organization, f"before{number}")
    back = time.time() - 1800
    monkeypatch.setattr("device_service.broker.session_limit.time.time", lambda: back)
    assert await limit.admits(device, organization, "after")


async def test_sessions_asked_for_at_once_are_no_more(limit: SessionLimit, broker: Broker) -> None:
    device, organization = uuid4(), uuid4()
    outcomes = await asyncio.gather(
        *(log_in(limit, broker, device, organization, f"c{number}") for number in range(50))
    )
    assert sum(outcomes) == PER_DEVICE


async def test_a_device_that_returns_under_its_client_id_is_admitted_and_nobody_is_asked(
    limit: SessionLimit, broker: Broker
) -> None:
    device, organization = uuid4(), uuid4()
    for _ in range(20):
        assert await limit.admits(device, organization, "always the same")
    assert broker.asked == []


async def test_a_client_id_of_any_length_costs_the_same_and_a_huge_one_is_refused(
    app: FastAPI, limit: SessionLimit
) -> None:
    device = uuid4()
    assert await limit.admits(device, uuid4(), "é" * MAX_CLIENT_ID)
    assert not await limit.admits(device, uuid4(), "x" * (MAX_CLIENT_ID + 1))
    (kept,) = await app.state.redis.zrange(f"device:sessions:{device}", 0, -1)
    assert len(kept) == 16


async def test_one_organisation_takes_half_of_the_broker_and_leaves_the_rest_to_others(
    organization: Organization, limit: SessionLimit, census: SessionCensus, broker: Broker
) -> None:
    made = [await organization.make_device() for _ in range(TOTAL // 2 + 1)]
    await census.count()
    for device in made[:-1]:
        assert await log_in(limit, broker, UUID(device["id"]), organization.id, device["id"])
    await census.count()
    last = made[-1]["id"]
    assert not await limit.admits(UUID(last), organization.id, last)
    assert await limit.admits(uuid4(), uuid4(), "of another organisation")
    broker.sessions.pop()
    await census.count()
    assert await limit.admits(UUID(last), organization.id, last)


async def test_nobody_is_admitted_once_the_broker_has_no_room(
    limit: SessionLimit, census: SessionCensus, broker: Broker
) -> None:
    broker.sessions = ["guest", *(str(uuid4()) for _ in range(TOTAL - 1))]
    await census.count()
    assert not await limit.admits(uuid4(), uuid4(), "any")


async def test_sessions_are_listed_only_while_they_are_many(census: SessionCensus, broker: Broker) -> None:
    broker.sessions = [str(uuid4())] * (TOTAL // 2 - 1)
    await census.count()
    assert broker.asked == ["/api/overview"]


async def test_a_broker_that_tells_nothing_is_no_yes(limit: SessionLimit, broker: Broker) -> None:
    broker.is_away = True
    device, organization = uuid4(), uuid4()
    outcomes: list[Any] = [await limit.admits(device, organization, f"c{n}") for n in range(PER_DEVICE)]
    assert all(outcomes)
    with pytest.raises(Unavailable):
        await limit.admits(device, organization, "one more")
