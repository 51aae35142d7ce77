"""A session at the broker does not outlive the key that opened it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlsplit
from uuid import uuid4

import aio_pika
import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from device_service.broker_sessions.management import DeviceSessions, broker_management
from device_service.broker_sessions.service import (
    BROKER_REMEMBERS,
    DEVICES_PER_ROUND,
    RETRY,
    SessionCloser,
)
from device_service.settings import DeviceSettings
from fleet_contracts.topology import subscription_queues
from fleet_kit.testing import eventually

from .conftest import Organization
from .support import path_of


class Broker(httpx.AsyncHTTPTransport):
    """The way to the broker: sees in which order it is asked; may fail for a device, or keep it waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.failing: set[str] = set()
        self.slow: set[str] = set()
        self.released = asyncio.Event()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        name = request.url.path.rpartition("/")[2]
        self.asked.append(name)
        if name in self.failing:
            return httpx.Response(500, request=request)
        if name in self.slow:
            await self.released.wait()
        return await super().handle_async_request(request)


@pytest.fixture
async def broker() -> AsyncIterator[Broker]:
    async with Broker() as broker:
        yield broker


@pytest.fixture
async def closer(app: FastAPI, settings: DeviceSettings, broker: Broker) -> AsyncIterator[SessionCloser]:
    await execute(app, "DELETE FROM t_session_ends")
    async with broker_management(settings) as one:
        login = one.auth
    async with httpx.AsyncClient(
        transport=broker, base_url=settings.broker_management_url, auth=login
    ) as way:
        yield SessionCloser(
            app.state.sessions,
            DeviceSessions(way, vhost=settings.devices_vhost),
            app.state.authenticator.with_key,
        )


async def execute(app: FastAPI, statement: str) -> None:
    async with app.state.sessions.begin() as session:
        await session.execute(text(statement))


async def revoked(organization: Organization, number: int) -> list[str]:
    """So many devices of an organisation without their keys."""
    devices = [await organization.make_device() for _ in range(number)]
    for device in devices:
        await organization.operator.delete(path_of(device, "/credentials"))
    return [str(device["id"]) for device in devices]


@asynccontextmanager
async def session_of(
    device: dict[str, Any], settings: DeviceSettings, management: httpx.AsyncClient
) -> AsyncIterator[asyncio.Event]:
    """An open session of a broker user with the device's name; the event says that it ended."""
    url = urlsplit(settings.amqp_url.get_secret_value())
    user, vhost = f"/api/users/{device['id']}", quote(url.path[1:], safe="")
    everything = {"configure": ".*", "write": ".*", "read": ".*"}
    (await management.put(user, json={"password": "pass", "tags": ""})).raise_for_status()
    allowed = f"/api/permissions/{vhost}/{device['id']}"
    (await management.put(allowed, json=everything)).raise_for_status()
    connection = await aio_pika.connect(f"amqp://{device['id']}:pass@{url.hostname}:{url.port}{url.path}")
    ended = asyncio.Event()
    connection.close_callbacks.add(lambda *_: ended.set())
    try:
        yield ended
    finally:
        await connection.close()
        await management.delete(user)


async def due_times(app: FastAPI) -> list[timedelta]:
    async with app.state.sessions() as session:
        rows = await session.execute(text("SELECT due_at - since AS after FROM t_session_ends"))
        return [row.after for row in rows]


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/credentials"), ("DELETE", "/credentials"), ("DELETE", "")]
)
async def test_an_open_session_ends_when_its_key_does(
    app: FastAPI,
    organization: Organization,
    settings: DeviceSettings,
    closer: SessionCloser,
    method: str,
    path: str,
) -> None:
    device, neighbour = await organization.make_device(), await organization.make_device()
    async with (
        broker_management(settings) as management,
        session_of(device, settings, management) as ended,
        session_of(neighbour, settings, management) as untouched,
    ):
        assert await closer.close_due() == 0
        answer = await organization.operator.request(method, path_of(device, path))
        assert answer.is_success, answer.text

        async def closed() -> bool:
            await closer.close_due()
            return ended.is_set()

        await eventually(closed, timeout=90)
        assert not untouched.is_set()
    (again,) = await due_times(app)
    assert again > BROKER_REMEMBERS, "closed once more when the broker has forgotten the key"


async def test_what_was_noted_is_forgotten_after_the_broker_has_forgotten_the_key(
    app: FastAPI, organization: Organization, closer: SessionCloser, broker: Broker
) -> None:
    (device,) = await revoked(organization, 1)
    await execute(app, "UPDATE t_session_ends SET since = since - interval '1 minute'")
    assert await closer.close_due() == 1
    assert await due_times(app) == []
    assert broker.asked == [device, *subscription_queues(device)]


async def test_a_device_with_a_new_key_keeps_what_it_subscribed_to(
    app: FastAPI, organization: Organization, closer: SessionCloser, broker: Broker
) -> None:
    device = await organization.make_device()
    await organization.operator.post(path_of(device, "/credentials"))
    await execute(app, "UPDATE t_session_ends SET since = since - interval '1 minute'")
    assert await closer.close_due() == 1
    assert broker.asked == [device["id"]]


async def test_a_broker_that_is_away_is_asked_again(
    app: FastAPI, organization: Organization, closer: SessionCloser
) -> None:
    await revoked(organization, DEVICES_PER_ROUND + 1)
    async with httpx.AsyncClient(base_url="http://127.0.0.1:1", timeout=1) as nobody:
        away = DeviceSessions(nobody, vhost="devices")
        with pytest.raises(httpx.ConnectError):
            await SessionCloser(app.state.sessions, away, app.state.authenticator.with_key).close_due()
    assert len(await due_times(app)) == DEVICES_PER_ROUND + 1
    assert await closer.close_due() == DEVICES_PER_ROUND + 1


async def test_the_one_device_of_an_organisation_waits_for_one_round_of_another_with_many(
    organization: Organization, stranger: Organization, closer: SessionCloser, broker: Broker
) -> None:
    many = await revoked(organization, 3 * DEVICES_PER_ROUND)
    (one,) = await revoked(stranger, 1)
    assert await closer.close_due() == len(many) + 1
    assert broker.asked.index(one) <= DEVICES_PER_ROUND
    assert sorted(broker.asked) == sorted([*many, one])


async def test_an_organisation_whose_closings_hang_leaves_the_others_to_the_next_run(
    organization: Organization, stranger: Organization, closer: SessionCloser, broker: Broker
) -> None:
    many = await revoked(organization, 2 * DEVICES_PER_ROUND)
    broker.slow.update(many)
    async with asyncio.TaskGroup() as runs:
        hanging = runs.create_task(closer.close_due())
        await eventually(lambda: _asked(broker, DEVICES_PER_ROUND))
        (one,) = await revoked(stranger, 1)
        assert await closer.close_due() == 1
        assert broker.asked[DEVICES_PER_ROUND:] == [one]
        broker.released.set()
    assert hanging.result() == len(many)


async def test_what_was_never_closed_goes_before_what_is_closed_again(
    app: FastAPI, organization: Organization, closer: SessionCloser, broker: Broker
) -> None:
    await revoked(organization, DEVICES_PER_ROUND)
    await closer.close_due()
    await execute(app, "UPDATE t_session_ends SET due_at = since")
    broker.asked.clear()
    (new,) = await revoked(organization, 1)
    assert await closer.close_due() == DEVICES_PER_ROUND + 1
    assert broker.asked[0] == new


async def test_a_device_for_which_the_broker_fails_is_tried_again_and_costs_no_neighbour(
    app: FastAPI, organization: Organization, closer: SessionCloser, broker: Broker
) -> None:
    devices = await revoked(organization, 2 * DEVICES_PER_ROUND)
    broker.failing.add(devices[0])
    await closer.close_due()
    assert sorted(broker.asked) == sorted(devices), "each once"
    assert sorted(await due_times(app))[0] < BROKER_REMEMBERS + RETRY
    await execute(app, "UPDATE t_session_ends SET due_at = since WHERE NOT closed_once")
    broker.failing.clear()
    assert await closer.close_due() == 1
    assert broker.asked[-1] == devices[0]


async def test_a_key_that_is_lost_while_the_one_before_is_worked_on_is_noted_anew(
    app: FastAPI, organization: Organization, closer: SessionCloser, broker: Broker
) -> None:
    device = await organization.make_device()
    broker.slow.add(device["id"])
    await organization.operator.post(path_of(device, "/credentials"))
    async with asyncio.TaskGroup() as runs:
        run = runs.create_task(closer.close_due())
        await eventually(lambda: _asked(broker, 1))
        rotated = await organization.operator.post(path_of(device, "/credentials"))
        assert rotated.is_success, "it does not wait for the broker"
        broker.released.set()
    assert run.result() == 2
    assert broker.asked == [device["id"], device["id"]]


async def test_what_an_earlier_version_noted_is_closed(
    app: FastAPI, closer: SessionCloser, broker: Broker
) -> None:
    device = str(uuid4())
    values = f"'{device}', now() - interval '1 second', now() - interval '1 second'"
    await execute(app, f"INSERT INTO t_session_ends (device_id, since, due_at) VALUES ({values})")
    assert await closer.close_due() == 1
    assert broker.asked == [device]


async def _asked(broker: Broker, number: int) -> bool:
    return len(broker.asked) >= number
