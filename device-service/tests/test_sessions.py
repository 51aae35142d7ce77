"""A session at the broker does not outlive the key that opened it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlsplit

import aio_pika
import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from device_service.broker_sessions.service import BROKER_REMEMBERS, SessionCloser, broker_management
from device_service.settings import DeviceSettings
from fleet_kit.testing import eventually

from .conftest import Organization
from .support import path_of


@pytest.fixture
async def closer(app: FastAPI, settings: DeviceSettings) -> AsyncIterator[SessionCloser]:
    async with broker_management(settings) as management, app.state.sessions.begin() as session:
        await session.execute(text("DELETE FROM t_session_ends"))
        await session.commit()
        yield SessionCloser(app.state.sessions, management)


@asynccontextmanager
async def session_of(
    device: dict[str, Any], settings: DeviceSettings, broker: httpx.AsyncClient
) -> AsyncIterator[asyncio.Event]:
    """An open session of a broker user with the device's name; the event says that it ended."""
    url = urlsplit(settings.amqp_url.get_secret_value())
    user, vhost = f"/api/users/{device['id']}", quote(url.path[1:], safe="")
    everything = {"configure": ".*", "write": ".*", "read": ".*"}
    (await broker.put(user, json={"password": "pass", "tags": ""})).raise_for_status()
    allowed = f"/api/permissions/{vhost}/{device['id']}"
    (await broker.put(allowed, json=everything)).raise_for_status()
    connection = await aio_pika.connect(f"amqp://{device['id']}:pass@{url.hostname}:{url.port}{url.path}")
    ended = asyncio.Event()
    connection.close_callbacks.add(lambda *_: ended.set())
    try:
        yield ended
    finally:
        await connection.close()
        await broker.delete(user)


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
        broker_management(settings) as broker,
        session_of(device, settings, broker) as ended,
        session_of(neighbour, settings, broker) as untouched,
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
    app: FastAPI, organization: Organization, closer: SessionCloser
) -> None:
    device = await organization.make_device()
    await organization.operator.delete(path_of(device, "/credentials"))
    async with app.state.sessions.begin() as session:
        await session.execute(text("UPDATE t_session_ends SET since = since - interval '1 minute'"))
    assert await closer.close_due() == 1
    assert await due_times(app) == []


async def test_a_broker_that_is_away_is_asked_again(
    app: FastAPI, organization: Organization, closer: SessionCloser
) -> None:
    device = await organization.make_device()
    await organization.operator.delete(path_of(device, "/credentials"))
    async with httpx.AsyncClient(base_url="http://127.0.0.1:1", timeout=1) as nobody:
        with pytest.raises(httpx.ConnectError):
            await SessionCloser(app.state.sessions, nobody).close_due()
    assert len(await due_times(app)) == 1
    assert await closer.close_due() == 1
