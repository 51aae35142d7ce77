"""401 or 429 before or after the deed: what must not be repeated happens once, or the caller has to look."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis

from once_sandbox.faults.schemas import FaultRule
from sim_service.carrier.base import Carrier
from sim_service.carrier.errors import CarrierCredentialsRejected, CarrierOutcomeUnknown, CarrierRateLimited
from sim_service.carrier.models import SmsCoding, SmsToSend
from sim_service.carrier.once.build import open_once
from sim_service.carrier.once.carrier import OnceCarrier
from sim_service.settings import Settings

from ..carrier_support import SHORT_TIME_BUDGETS
from ..support import SandboxUnderTest
from .calls_support import CARD, NEVER_REPEATED, PEOPLE, WRITING_PATHS, first, orders_of, other

REFUSALS = ["expired_token", "rate_limited"]
SEEN = sorted(set(NEVER_REPEATED) - {"transfer_sims"})
LISTS = {"top_up": "*/orders", "send_sms": "*/sms", "open_ticket": "*/support"}


@pytest.fixture(params=["spec", "recorded"])
async def client(
    request: pytest.FixtureRequest, settings: Settings, sandbox: SandboxUnderTest, redis: Redis
) -> AsyncIterator[OnceCarrier]:
    """The client in front of a sandbox of either profile that lists at once what it has done."""
    sandbox.reset(request.param)
    async with open_once(settings, redis) as opened:
        yield hasty(opened)


def hasty(opened: Carrier) -> OnceCarrier:
    """The client without its second of patience with lists and limits."""
    assert isinstance(opened, OnceCarrier)
    opened._transport._list_lag = opened._transport._throttle_seconds = 0.05
    return opened


def refuse(sandbox: SandboxUnderTest, kind: str, when: str = "before", **more: Any) -> None:
    """Answer the next call of each path that costs something with a refusal."""
    for path in WRITING_PATHS:
        rule = {"kind": kind, "path": path, "method": "POST", "when": when, "count": 1}
        sandbox.sandbox.faults.add(FaultRule.model_validate(rule | more))


@pytest.mark.parametrize("kind", REFUSALS)
@pytest.mark.parametrize("name", SEEN)
async def test_what_was_refused_before_it_was_done_is_done_once(
    client: OnceCarrier, sandbox: SandboxUnderTest, name: str, kind: str
) -> None:
    call, done = NEVER_REPEATED[name]
    before, world = done(sandbox), sandbox.sandbox.world
    refuse(sandbox, kind)
    number = await call(client, first(sandbox).iccid)
    assert done(sandbox) == before + 1
    newest = max([*world.sms.by_id, *world.orders.by_number], default=None)
    assert number == (None if name == "open_ticket" else str(newest))


@pytest.mark.parametrize("kind", REFUSALS)
@pytest.mark.parametrize("name", SEEN)
async def test_what_was_done_and_then_refused_is_not_done_again(
    client: OnceCarrier, sandbox: SandboxUnderTest, name: str, kind: str
) -> None:
    call, done = NEVER_REPEATED[name]
    before = done(sandbox)
    refuse(sandbox, kind, "after")
    with pytest.raises(CarrierOutcomeUnknown) as caught:
        await call(client, first(sandbox).iccid)
    assert (caught.value.status, caught.value.code) == (503, "CARRIER_OUTCOME_UNKNOWN")
    assert done(sandbox) == before + 1


@pytest.mark.parametrize("kind", REFUSALS)
@pytest.mark.parametrize("when", ["before", "after"])
async def test_where_nothing_could_show_the_deed_nothing_is_repeated(
    client: OnceCarrier, sandbox: SandboxUnderTest, kind: str, when: str
) -> None:
    call, done = NEVER_REPEATED["transfer_sims"]
    refuse(sandbox, kind, when)
    with pytest.raises(CarrierOutcomeUnknown):
        await call(client, first(sandbox).iccid)
    assert done(sandbox) == (1 if when == "after" else 0)
    assert sandbox.called("simTransfer") == 1


@pytest.mark.parametrize("kind", ["html_503", "drop", "not_json", "empty_200"])
@pytest.mark.parametrize("name", LISTS)
async def test_without_the_list_nothing_is_repeated(
    client: OnceCarrier, sandbox: SandboxUnderTest, name: str, kind: str
) -> None:
    call, done = NEVER_REPEATED[name]
    before = done(sandbox)
    refuse(sandbox, "rate_limited", "after")
    rule = {"kind": kind, "path": LISTS[name], "method": "GET"}
    sandbox.sandbox.faults.add(FaultRule.model_validate(rule))
    with pytest.raises(CarrierOutcomeUnknown):
        await call(client, first(sandbox).iccid)
    assert done(sandbox) == before + 1


async def test_a_list_that_is_too_slow_is_not_waited_for(
    client: OnceCarrier, sandbox: SandboxUnderTest
) -> None:
    client._transport._budgets = SHORT_TIME_BUDGETS
    refuse(sandbox, "rate_limited")
    sandbox.sandbox.faults.add(FaultRule(kind="delay", path="*/orders", seconds=300))
    with pytest.raises(CarrierOutcomeUnknown):
        async with asyncio.timeout(60):
            await client.top_up([first(sandbox).iccid], CARD, priority=PEOPLE)
    assert orders_of(sandbox) == 0


async def test_when_v1_is_off_no_order_can_be_seen(
    settings: Settings, sandbox: SandboxUnderTest, redis: Redis
) -> None:
    async with open_once(settings.model_copy(update={"carrier_api_versions": ("v2",)}), redis) as opened:
        refuse(sandbox, "expired_token")
        with pytest.raises(CarrierOutcomeUnknown):
            await hasty(opened).top_up([first(sandbox).iccid], CARD, priority=PEOPLE)
    assert orders_of(sandbox) == 0


@pytest.mark.parametrize("kind", REFUSALS)
async def test_refused_again_and_again_it_ends_and_is_known_not_to_be_done(
    client: OnceCarrier, sandbox: SandboxUnderTest, kind: str
) -> None:
    refuse(sandbox, kind, count=None)
    error, tries = {
        "expired_token": (CarrierCredentialsRejected, 2),
        "rate_limited": (CarrierRateLimited, 3),
    }[kind]
    with pytest.raises(error):
        await client.top_up([first(sandbox).iccid], CARD, priority=PEOPLE)
    assert (orders_of(sandbox), sandbox.called("/topup")) == (0, tries)


async def test_the_last_try_is_looked_after_too(client: OnceCarrier, sandbox: SandboxUnderTest) -> None:
    refuse(sandbox, "rate_limited", count=2)
    refuse(sandbox, "rate_limited", "after")
    with pytest.raises(CarrierOutcomeUnknown):
        await client.top_up([first(sandbox).iccid], CARD, priority=PEOPLE)
    assert (orders_of(sandbox), sandbox.called("/topup")) == (1, 3)


async def test_what_another_call_did_is_not_claimed(client: OnceCarrier, sandbox: SandboxUnderTest) -> None:
    iccid = first(sandbox).iccid
    await client.top_up([iccid], CARD, priority=PEOPLE)
    await client.send_sms(iccid, SmsToSend("hi"), priority=PEOPLE)
    for call, done in (NEVER_REPEATED["top_up"], NEVER_REPEATED["send_sms"]):
        refuse(sandbox, "rate_limited")
        with pytest.raises(CarrierOutcomeUnknown):
            await call(client, iccid)
        assert done(sandbox) == 1


async def test_what_is_older_or_of_others_forbids_no_repeat(
    client: OnceCarrier, sandbox: SandboxUnderTest
) -> None:
    iccid, world = first(sandbox).iccid, sandbox.sandbox.world
    await client.top_up([iccid], CARD, priority=PEOPLE)
    world.orders.by_number[max(world.orders.by_number)].placed_at -= 400
    await client.top_up([other(iccid)], CARD, priority=PEOPLE)
    for message in (
        SmsToSend("ho"),
        SmsToSend("hi", SmsCoding.UCS2),
        SmsToSend("hi", udh="050003CC0201"),
    ):
        await client.send_sms(iccid, message, priority=PEOPLE)
    await client.send_sms(other(iccid), SmsToSend("hi"), priority=PEOPLE)
    for call, done in (NEVER_REPEATED["top_up"], NEVER_REPEATED["send_sms"]):
        before = done(sandbox)
        refuse(sandbox, "rate_limited")
        assert int(await call(client, iccid))
        assert done(sandbox) == before + 1


@pytest.mark.parametrize("when", ["before", "after"])
async def test_of_two_alike_calls_at_once_neither_takes_the_others_message(
    client: OnceCarrier, sandbox: SandboxUnderTest, when: str
) -> None:
    call, done = NEVER_REPEATED["send_sms"]
    iccid = first(sandbox).iccid
    refuse(sandbox, "rate_limited", when)
    answers = await asyncio.gather(call(client, iccid), call(client, iccid), return_exceptions=True)
    told = {int(answer) for answer in answers if isinstance(answer, str)}
    unknown = [answer for answer in answers if isinstance(answer, CarrierOutcomeUnknown)]
    assert len(told) + len(unknown) == 2
    assert told
    assert told <= set(sandbox.sandbox.world.sms.by_id)
    assert done(sandbox) == len(told) + (when == "after"), "the refused one looked, and was repeated or not"


async def test_a_list_too_long_to_read_forbids_the_repeat(
    client: OnceCarrier, sandbox: SandboxUnderTest
) -> None:
    iccid = first(sandbox).iccid
    for _ in range(50):
        await client.top_up([other(iccid)], CARD, priority=PEOPLE)
    refuse(sandbox, "rate_limited")
    with pytest.raises(CarrierOutcomeUnknown):
        await client.top_up([iccid], CARD, priority=PEOPLE)
    assert orders_of(sandbox) == 50
