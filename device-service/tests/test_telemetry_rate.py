"""How many bytes of readings an organisation may send over HTTP."""

import json
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from pydantic import ValidationError

from device_service.settings import DeviceSettings
from device_service.telemetry.service import TelemetryService
from fleet_contracts.telemetry import LEAST_COST_BYTES
from fleet_kit.allowances import Allowances
from fleet_kit.messaging import PublishFailed
from fleet_kit.middleware import MAX_BODY_BYTES
from fleet_kit.testing import ManualClock

from .conftest import Organization
from .support import device_key, path_of

pytestmark = pytest.mark.attack
PER_SECOND, BURST = 1000, 20_000


@pytest.fixture
def clock(app: FastAPI) -> Iterator[ManualClock]:
    """Of a service that gives each organisation PER_SECOND bytes, and BURST at once."""
    present, clock = app.state.telemetry, ManualClock()
    allowances = Allowances[UUID](PER_SECOND, BURST, clock=clock)
    app.state.telemetry = TelemetryService(app.state.publisher, allowances)
    yield clock
    app.state.telemetry = present


def reading(size: int) -> bytes:
    """One reading in a body of that size."""
    return json.dumps({"metrics": {"a": 1}}).encode().ljust(size)


Send = Callable[..., Any]


@pytest.fixture
def send(anyone: httpx.AsyncClient) -> Send:
    async def post(device: dict[str, Any], body: bytes) -> httpx.Response:
        return await anyone.post(path_of(device, "/telemetry"), content=body, headers=device_key(device))

    return post


async def test_a_flood_of_one_organisation_is_refused_and_another_notices_nothing(
    clock: ManualClock, organization: Organization, stranger: Organization, send: Send
) -> None:
    first, second = await organization.make_device(), await organization.make_device()
    other = await stranger.make_device()
    answers = [await send(device, reading(5000)) for device in (first, second) * 3]
    assert [answer.status_code for answer in answers] == [202] * 4 + [429] * 2
    assert answers[-1].json()["error"]["code"] == "RATE_LIMITED"
    assert [(await send(other, reading(5000))).status_code for _ in range(4)] == [202] * 4


async def test_retry_after_is_when_this_body_fits(
    clock: ManualClock, organization: Organization, send: Send
) -> None:
    device = await organization.make_device()
    await send(device, reading(BURST))
    refused = await send(device, reading(4500))
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "5")
    clock.now += 4.4
    assert (await send(device, reading(4500))).status_code == 429
    clock.now += 0.6
    assert (await send(device, reading(4500))).status_code == 202


async def test_a_person_who_sends_for_a_device_has_the_same_allowance(
    clock: ManualClock, organization: Organization, send: Send
) -> None:
    device = await organization.make_device()
    await send(device, reading(BURST))
    answer = await organization.operator.post(path_of(device, "/telemetry"), content=reading(500))
    assert answer.status_code == 429


async def test_a_body_is_counted_before_anybody_reads_what_it_says(
    clock: ManualClock, organization: Organization, send: Send
) -> None:
    device = await organization.make_device()
    assert (await send(device, b"[" * BURST)).status_code == 400
    assert (await send(device, b"[" * 1000)).status_code == 429


async def test_the_smallest_body_has_a_cost(
    clock: ManualClock, organization: Organization, send: Send
) -> None:
    device = await organization.make_device()
    await send(device, reading(BURST - LEAST_COST_BYTES))
    tiny = [(await send(device, b'{"metrics":{"a":1}}')).status_code for _ in range(2)]
    assert tiny == [202, 429]


async def test_what_the_broker_did_not_take_does_not_count(
    app: FastAPI, clock: ManualClock, organization: Organization, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = await organization.make_device()

    async def refuse(*_: Any, **__: Any) -> None:
        raise PublishFailed("no confirmation")

    with monkeypatch.context() as broken:
        broken.setattr(app.state.publisher, "publish", refuse)
        assert [(await send(device, reading(BURST))).status_code for _ in range(2)] == [503] * 2
    assert (await send(device, reading(BURST))).status_code == 202


def test_a_burst_below_one_body_is_refused(settings: DeviceSettings) -> None:
    given = settings.model_dump(exclude={"telemetry_http_burst_bytes"})
    assert DeviceSettings(**given, telemetry_http_burst_bytes=MAX_BODY_BYTES)
    with pytest.raises(ValidationError, match="telemetry_http_burst_bytes"):
        DeviceSettings(**given, telemetry_http_burst_bytes=MAX_BODY_BYTES - 1)
