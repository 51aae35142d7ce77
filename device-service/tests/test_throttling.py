"""A device that sends too much is kept from the broker for a while, and only that one."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import FastAPI
from redis.asyncio import Redis
from sqlalchemy import text

from device_service.broker.telemetry_throttle import THROTTLE_SECONDS, TelemetryThrottle
from device_service.broker_sessions.service import SessionTerminations
from device_service.consumers import EventsConsumer
from device_service.presence.service import PresenceService
from device_service.sim_links.service import SimLinkService
from device_service.throttling.service import EVENT_TYPE, MAX_WAITING, PAYLOAD, ThrottlingService
from fleet_contracts.events import ExcessData, TelemetryExcess, encode_event
from fleet_kit.event_handlers import on_event_batch
from fleet_kit.failure_router import Delivery

from .conftest import Organization
from .support import outbox_types, path_of

pytestmark = pytest.mark.attack
Tell = Callable[..., Awaitable[None]]
MOST_EVENTS = 2


@pytest.fixture
def tell(app: FastAPI) -> Tell:
    """Hands the event to the consumer, as if monitoring-service had published it."""
    sessions, throttle = app.state.sessions, TelemetryThrottle(app.state.redis)
    presence = PresenceService(sessions, app.state.caches, offline_after_seconds=60)
    throttling = ThrottlingService(sessions, throttle, most_events=MOST_EVENTS)
    consumer = EventsConsumer(presence, SimLinkService(sessions, app.state.caches), throttling)

    async def excess(organization_id: UUID, *device_ids: str) -> None:
        data = ExcessData(devices=[UUID(device_id) for device_id in device_ids])
        event = TelemetryExcess(source="test", subject="x", organizationid=organization_id, data=data)
        delivery = Delivery(encode_event(event), "", None, {}, 0, datetime.now(UTC))
        assert not await on_event_batch(consumer.handle)([delivery])
        await throttling.keep_away()

    return excess


async def may_log_in(app: FastAPI, anyone: httpx.AsyncClient, device: dict[str, Any]) -> bool:
    form = {"vhost": app.state.broker._vhost, "username": device["id"], "password": device["key"]}
    answer = await anyone.post("/internal/broker/user", data=form | {"client_id": device["id"]})
    return answer.text == "allow"


async def closings(app: FastAPI, device: dict[str, Any]) -> int:
    async with app.state.sessions() as session:
        statement = text("SELECT count(*) FROM t_session_ends WHERE device_id = :id")
        return int(await session.scalar(statement, {"id": UUID(device["id"])}))


async def test_it_is_refused_and_cut_and_nobody_else_is(
    app: FastAPI, organization: Organization, anyone: httpx.AsyncClient, tell: Tell
) -> None:
    flooding, quiet = await organization.make_device(), await organization.make_device()
    await tell(organization.id, flooding["id"])
    assert not await may_log_in(app, anyone, flooding)
    assert await may_log_in(app, anyone, quiet)
    assert [await closings(app, device) for device in (flooding, quiet)] == [1, 0]


async def test_after_a_while_it_may_come_back(
    app: FastAPI, organization: Organization, anyone: httpx.AsyncClient, tell: Tell
) -> None:
    device = await organization.make_device()
    await tell(organization.id, device["id"])
    key = f"device:throttled:{device['id']}"
    assert 0 < await app.state.redis.ttl(key) <= THROTTLE_SECONDS
    await app.state.redis.pexpire(key, 1)
    assert await may_log_in(app, anyone, device)


async def test_its_people_are_told_once_for_as_long_as_it_is_kept_away(
    app: FastAPI, organization: Organization, tell: Tell
) -> None:
    device = await organization.make_device()
    for _ in range(3):
        await tell(organization.id, device["id"])
    events = (await organization.viewer.get(path_of(device, "/events"))).json()["items"]
    assert [(event["event_type"], event["payload"]) for event in events] == [(EVENT_TYPE, PAYLOAD)]
    assert (await outbox_types(app, device["id"])).count("device.event_reported") == 1


async def test_it_is_cut_also_where_no_event_of_the_organisation_has_room(
    app: FastAPI, organization: Organization, anyone: httpx.AsyncClient, tell: Tell
) -> None:
    devices = [await organization.make_device() for _ in range(MOST_EVENTS + 1)]
    await tell(organization.id, *(device["id"] for device in devices))
    assert [await closings(app, device) for device in devices] == [1] * len(devices)
    assert not any([await may_log_in(app, anyone, device) for device in devices])


async def test_many_of_one_organisation_let_another_have_its_turn(
    app: FastAPI, organization: Organization, stranger: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    throttling = ThrottlingService(app.state.sessions, TelemetryThrottle(app.state.redis), most_events=9)
    mine = [UUID((await organization.make_device())["id"]) for _ in range(12)]
    theirs = UUID((await stranger.make_device())["id"])
    order: list[UUID] = []

    async def close(_: UUID, device_id: UUID) -> None:
        order.append(device_id)

    monkeypatch.setattr(throttling, "_close", close)
    throttling.enqueue(organization.id, mine)
    throttling.enqueue(stranger.id, [theirs])
    await throttling.keep_away()
    assert order.index(theirs) == 5
    assert order[:5] + order[6:] == mine


async def test_where_its_session_could_not_be_closed_it_is_when_it_is_named_again(
    app: FastAPI, organization: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    throttling = ThrottlingService(app.state.sessions, TelemetryThrottle(app.state.redis), most_events=9)
    device = await organization.make_device()

    async def fail(*_: Any) -> None:
        raise ConnectionError

    with monkeypatch.context() as broken:
        broken.setattr(SessionTerminations, "request", fail)
        throttling.enqueue(organization.id, [UUID(device["id"])])
        with pytest.raises(ConnectionError):
            await throttling.keep_away()
    throttling.enqueue(organization.id, [UUID(device["id"])])
    await throttling.keep_away()
    assert await closings(app, device) == 1


def test_of_an_organisation_a_bounded_number_is_remembered(app: FastAPI) -> None:
    throttling = ThrottlingService(app.state.sessions, TelemetryThrottle(app.state.redis), most_events=9)
    throttling.enqueue(UUID(int=1), (uuid4() for _ in range(MAX_WAITING + 1)))
    assert len(throttling._waiting[UUID(int=1)]) == MAX_WAITING


async def test_a_device_that_is_gone_costs_its_neighbour_nothing(
    app: FastAPI, organization: Organization, anyone: httpx.AsyncClient, tell: Tell
) -> None:
    device = await organization.make_device()
    await tell(organization.id, str(UUID(int=0)), device["id"])
    assert not await may_log_in(app, anyone, device)


async def test_without_redis_nobody_is_kept_away() -> None:
    away = Redis(host="127.0.0.1", port=1, socket_connect_timeout=0.2)
    throttle, device = TelemetryThrottle(away), uuid4()
    assert not await throttle.start(device)
    assert not await throttle.holds(device)
    await away.aclose()
