"""Subscribing again and again costs the user who does it, and nobody else."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from monitoring_service.settings import Settings
from monitoring_service.store.read_limiter import ReadLimiter
from monitoring_service.store.reads import PlainReads

pytestmark = pytest.mark.attack

BURST = 5


@pytest.fixture
def settings(settings: Settings) -> Settings:
    limits = {"live_subscribes_per_second": 0.01, "live_subscribes_burst": BURST}
    return settings.model_copy(update=limits)


async def test_the_subscriptions_of_all_connections_of_a_user_have_one_rate(fleet: Any, live: Any) -> None:
    token, other = fleet.tokens.token(fleet.organization), fleet.tokens.token(fleet.organization)
    connections = [await live(token=token) for _ in range(2)]
    answers = [await connections[number % 2].subscribe() for number in range(BURST)]
    assert all(answer["ok"] for answer in answers)
    refused = await asyncio.gather(*(one.subscribe(devices=["not looked at"]) for one in connections))
    assert {answer["error"]["code"] for answer in refused} == {"TOO_MANY_SUBSCRIPTIONS"}
    device = await fleet.device()
    assert (await (await live(token=other)).subscribe(devices=[device]))["ok"], "another user"


async def test_what_a_subscription_names_is_looked_up_within_the_permits_of_its_organisation(
    fleet: Any, live: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    devices = [await fleet.device() for _ in range(3)]
    client, acquire, asked = await live(), ReadLimiter.acquire, list[str]()

    async def noted(self: ReadLimiter, organization: str, seconds: float) -> None:
        asked.append(organization)
        await acquire(self, organization, seconds)

    async def refused(*_: Any) -> Any:
        raise AssertionError("a read without a permit")

    monkeypatch.setattr(ReadLimiter, "acquire", noted)
    snapshot = fleet.app.state.feed._sequence.snapshot
    monkeypatch.setattr(fleet.app.state.feed._sequence, "snapshot", lambda: snapshot(PLAIN))
    monkeypatch.setattr(PlainReads, "rows", refused)
    assert (await client.subscribe(devices=devices))["ok"]
    assert (await client.subscribe(devices=[str(uuid4())]))["error"]["code"] == "DEVICE_NOT_FOUND"
    assert set(asked) == {str(fleet.organization)}


class _Direct:
    """Reads as PlainReads does, and is not replaced in the test."""

    exhausted = False

    async def rows(self, query: Any, most: int) -> list[Any]:
        return list(await query.limit(most).to_list(most))


PLAIN = _Direct()


async def test_all_clients_of_an_organisation_may_come_back_at_once(
    fleet: Any, live: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet.app.state.read_limiter, "_waiting", 0)
    device = await fleet.device()
    clients = [await live(token=fleet.tokens.token(fleet.organization)) for _ in range(8)]
    answers = await asyncio.gather(*(one.subscribe(devices=[device]) for one in clients))
    assert all(answer["ok"] for answer in answers)
