"""Calls to the carrier that fail, or without version 1 of its API."""

import pytest
from redis.asyncio import Redis

from fleet_kit.errors import FleetError
from once_sandbox.faults.schemas import FaultRule
from sim_service.carrier.base import Carrier
from sim_service.carrier.errors import (
    CarrierOperationUnavailable,
    CarrierOutcomeUnknown,
    CarrierSimNotFound,
)
from sim_service.carrier.models import (
    OrderToPlace,
    SimChange,
    SmsToSend,
)
from sim_service.carrier.once.build import open_once
from sim_service.settings import Settings

from ..support import SandboxUnderTest
from .calls_support import CARD, NEVER_REPEATED, NOBODYS, ONLY_V1, PEOPLE, WRITING_PATHS, first, orders_of


async def test_an_unknown_sim_is_not_found_everywhere(carrier: Carrier) -> None:
    calls = (
        carrier.get_sim(NOBODYS, priority=PEOPLE),
        carrier.connectivity(NOBODYS, priority=PEOPLE),
        carrier.events(NOBODYS, 1, priority=PEOPLE),
        carrier.list_sms(NOBODYS, 1, priority=PEOPLE),
        carrier.cell_info(NOBODYS, priority=PEOPLE),
        carrier.reset(NOBODYS, priority=PEOPLE),
        carrier.change_sim(NOBODYS, SimChange(label="x"), priority=PEOPLE),
        carrier.send_sms(NOBODYS, SmsToSend("x"), priority=PEOPLE),
        carrier.top_up([NOBODYS], CARD, priority=PEOPLE),
        carrier.extend_sims([NOBODYS], None, priority=PEOPLE),
    )
    for call in calls:
        with pytest.raises(CarrierSimNotFound):
            await call


@pytest.mark.parametrize("name", ONLY_V1)
@pytest.mark.parametrize("switched_off_by", ["carrier", "settings"])
async def test_without_v1_what_only_it_has_is_unavailable(
    settings: Settings, sandbox: SandboxUnderTest, redis: Redis, name: str, switched_off_by: str
) -> None:
    sandbox.sandbox.world.behaviours.v1_enabled = False
    versions = ("v2", "v1") if switched_off_by == "carrier" else ("v2",)
    async with open_once(settings.model_copy(update={"carrier_api_versions": versions}), redis) as carrier:
        with pytest.raises(CarrierOperationUnavailable) as caught:
            await ONLY_V1[name](carrier, first(sandbox).iccid)
    assert (caught.value.status, caught.value.code) == (501, "CARRIER_OPERATION_UNAVAILABLE")
    assert orders_of(sandbox) == 0
    assert (sandbox.called("/v1/") == 0) is (switched_off_by == "settings")


async def test_without_v1_everything_that_v2_has_goes_on(client: Carrier, sandbox: SandboxUnderTest) -> None:
    sandbox.sandbox.world.behaviours.v1_enabled = False
    iccid = first(sandbox).iccid
    await client.change_sim(iccid, SimChange(label="still here"), priority=PEOPLE)
    assert (await client.get_sim(iccid, priority=PEOPLE)).label == "still here"
    await client.connectivity(iccid, priority=PEOPLE)
    await client.reset(iccid, priority=PEOPLE)
    assert await client.events(iccid, 1, priority=PEOPLE)
    sent = await client.send_sms(iccid, SmsToSend("x"), priority=PEOPLE)
    assert [sms.id for sms in await client.list_sms(iccid, 1, priority=PEOPLE)] == [sent]
    assert await client.cancel_sms(iccid, sent, priority=PEOPLE)
    assert await client.top_up([iccid], CARD, priority=PEOPLE)
    assert sandbox.called("/v1/") == 0


@pytest.mark.parametrize("fault", ["drop", "html_503", "truncate", "status"])
@pytest.mark.parametrize("name", NEVER_REPEATED)
async def test_a_lost_answer_is_told_and_nothing_is_done_twice(
    client: Carrier, sandbox: SandboxUnderTest, name: str, fault: str
) -> None:
    call, done = NEVER_REPEATED[name]
    before = done(sandbox)
    for path in WRITING_PATHS:
        rule = {"kind": fault, "path": path, "method": "POST", "when": "after"}
        sandbox.sandbox.faults.add(FaultRule.model_validate(rule))
    with pytest.raises(CarrierOutcomeUnknown) as caught:
        await call(client, first(sandbox).iccid)
    assert (caught.value.status, caught.value.code) == (503, "CARRIER_OUTCOME_UNKNOWN")
    assert done(sandbox) == before + 1


async def test_an_order_without_a_number_is_an_unknown_outcome(
    client: Carrier, sandbox: SandboxUnderTest
) -> None:
    fault = {"kind": "status", "status": 201, "body": "", "path": "*/topup", "when": "after"}
    sandbox.sandbox.faults.add(FaultRule.model_validate(fault))
    with pytest.raises(CarrierOutcomeUnknown):
        await client.top_up([first(sandbox).iccid], CARD, priority=PEOPLE)
    assert orders_of(sandbox) == 1


@pytest.mark.parametrize("kind", ["drop", "truncate", "html_503", "empty_200", "expired_token", "not_json"])
async def test_reads_survive_one_fault_each(client: Carrier, sandbox: SandboxUnderTest, kind: str) -> None:
    iccid = first(sandbox).iccid
    order = await client.top_up([iccid], CARD, priority=PEOPLE)
    for read in (
        lambda: client.connectivity(iccid, priority=PEOPLE),
        lambda: client.events(iccid, 1, priority=PEOPLE),
        lambda: client.list_orders(1, priority=PEOPLE),
        lambda: client.get_order(order, priority=PEOPLE),
        lambda: client.products(priority=PEOPLE),
        lambda: client.limits(priority=PEOPLE),
    ):
        sandbox.sandbox.faults.rules.clear()
        sandbox.sandbox.faults.add(FaultRule.model_validate({"kind": kind, "path": "/v?/*", "count": 1}))
        assert await read()


async def test_a_refusal_is_told_in_the_carriers_words(client: Carrier, sandbox: SandboxUnderTest) -> None:
    iccid = first(sandbox).iccid
    for refused, hint in (
        (client.send_sms(iccid, SmsToSend("x" * 161), priority=PEOPLE), "exceeds"),
        (client.place_order(OrderToPlace(((4, 1),)), priority=PEOPLE), "cannot be ordered"),
        (client.set_limits(data=99, sms_mo=None, sms_mt=None, priority=PEOPLE), "limits"),
    ):
        with pytest.raises(FleetError) as caught:
            await refused
        assert (caught.value.status, caught.value.code) == (409, "CARRIER_REJECTED")
        assert hint in caught.value.message
