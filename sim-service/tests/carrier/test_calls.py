"""Every call of the carrier against the sandbox, in both of its profiles and in each API version."""

from datetime import UTC, datetime, timedelta

import pytest

from fleet_kit.errors import NotFound
from once_sandbox.connectivity import sessions
from once_sandbox.sms.schemas import SmsMessage
from once_sandbox.sms.service import receive
from sim_service.carrier.base import Carrier
from sim_service.carrier.models import (
    NetworkState,
    SimChange,
    SimStatus,
    SmsCoding,
    SmsDirection,
    SmsState,
    SmsToSend,
)

from ..support import SandboxUnderTest
from .calls_support import PEOPLE, first, planned


async def test_each_field_of_a_sim_is_changed_alone(carrier: Carrier, sandbox: SandboxUnderTest) -> None:
    sim = first(sandbox)
    sim.enabled = False
    await carrier.change_sim(sim.iccid, SimChange(label="pump 7"), priority=PEOPLE)
    assert (sim.label, sim.enabled) == ("pump 7", False)
    await carrier.change_sim(sim.iccid, SimChange(status=SimStatus.ENABLED, imei_lock=True), priority=PEOPLE)
    read = await carrier.get_sim(sim.iccid, priority=PEOPLE)
    assert (read.status, read.imei_lock, read.label) == (SimStatus.ENABLED, True, "pump 7")


async def test_connectivity_of_a_session(carrier: Carrier, sandbox: SandboxUnderTest) -> None:
    sim, world = first(sandbox), sandbox.sandbox.world
    sessions.detach(world, sim)
    sessions.attach(world, sim, operator=1, rat=3)
    sessions.open_session(world, sim)
    found = await carrier.connectivity(sim.iccid, priority=PEOPLE)
    assert (found.state, found.operator, found.operator_id) == (NetworkState.ONLINE, "Vodafone", "4")
    assert (found.country, found.country_name, found.mcc, found.mnc) == ("DE", "Germany", "262", "02")
    assert found.session is not None
    assert (found.session.rat, found.session.imei) == ("NB-IoT", sim.imei)
    assert found.session.ip_address == sim.ip_address
    assert found.last_updated_at is not None
    assert abs(found.last_updated_at.timestamp() - world.clock.now()) < 5
    assert "SMS" in found.services


async def test_connectivity_of_a_sim_that_is_away(carrier: Carrier, sandbox: SandboxUnderTest) -> None:
    sim = first(sandbox)
    sessions.detach(sandbox.sandbox.world, sim)
    found = await carrier.connectivity(sim.iccid, priority=PEOPLE)
    assert (found.state, found.session, found.operator) == (NetworkState.OFFLINE, None, None)


async def test_what_only_v2_says_of_connectivity(client: Carrier, sandbox: SandboxUnderTest) -> None:
    sim, world = first(sandbox), sandbox.sandbox.world
    assert (await client.connectivity(sim.iccid, priority=PEOPLE)).limit_reached is False
    sessions.block(world, sim, blocked=True)
    assert (await client.connectivity(sim.iccid, priority=PEOPLE)).state is NetworkState.BLOCKED


async def test_the_cell_is_known_on_2g_only_while_reachable(
    carrier: Carrier, sandbox: SandboxUnderTest
) -> None:
    sim, world = first(sandbox), sandbox.sandbox.world
    sessions.attach(world, sim, operator=0, rat=0)
    cell = await carrier.cell_info(sim.iccid, priority=PEOPLE)
    assert (cell.reachable, cell.mcc, cell.mnc, cell.lac) == (True, "262", "01", "10000")
    assert cell.located_at is not None
    sessions.vanish(world, sim)
    cell = await carrier.cell_info(sim.iccid, priority=PEOPLE)
    assert (cell.reachable, cell.cell_id) == (False, None)


async def test_a_reset_ends_the_session_some_time_later(carrier: Carrier, sandbox: SandboxUnderTest) -> None:
    sim = first(sandbox)
    await carrier.reset(sim.iccid, priority=PEOPLE)
    assert planned(sandbox).count("connectivity.reset") == 1


async def test_events_keep_their_id_type_severity_and_cause(
    carrier: Carrier, sandbox: SandboxUnderTest
) -> None:
    sim, world = first(sandbox), sandbox.sandbox.world
    sessions.fail(world, sim, "IMEI_LOCK_BREACHED")
    sessions.block(world, sim, blocked=True)
    found = await carrier.events(sim.iccid, 1, priority=PEOPLE)
    again = await carrier.events(sim.iccid, 1, priority=PEOPLE)
    assert [event.id for event in found] == [event.id for event in again]
    assert len({event.id for event in found}) == len(found)
    blocked, refused = found[0], next(event for event in found if event.cause)
    assert (blocked.type, blocked.severity, blocked.type_id) == ("blocked", "warning", 11)
    assert (refused.type, refused.cause, refused.country) == (
        "session_refused",
        "IMEI_LOCK_BREACHED",
        "Germany",
    )
    assert (refused.iccid, refused.imsi, refused.imei) == (sim.iccid, sim.imsi, sim.imei)
    assert found[-1].type == "sim_enabled"
    assert await carrier.events(sim.iccid, 2, priority=PEOPLE) == []


async def test_a_message_is_sent_read_listed_and_cancelled(
    carrier: Carrier, sandbox: SandboxUnderTest
) -> None:
    sim = first(sandbox)
    text = SmsToSend(" hi ", source="fleet", expires_at=datetime.now(UTC) + timedelta(hours=1))
    ids = [
        await carrier.send_sms(sim.iccid, message, priority=PEOPLE)
        for message in (
            text,
            SmsToSend("ключ", SmsCoding.UCS2, source="+49170"),
            SmsToSend("00ff", SmsCoding.BINARY, udh="050003CC0201"),
        )
    ]
    read = await carrier.get_sms(sim.iccid, ids[0], priority=PEOPLE)
    assert (read.id, read.payload, read.direction, read.state) == (
        ids[0],
        " hi ",
        SmsDirection.MT,
        SmsState.PENDING,
    )
    assert (read.source, read.destination) == ("fleet", sim.msisdn)
    assert read.submitted_at is not None
    assert read.expires_at is not None
    listed = await carrier.list_sms(sim.iccid, 1, priority=PEOPLE)
    assert [sms.id for sms in listed] == ids[::-1]
    assert [sms.coding for sms in listed] == [SmsCoding.BINARY, SmsCoding.UCS2, SmsCoding.TEXT]
    assert (listed[0].udh, listed[1].payload) == ("050003CC0201", "ключ")
    assert await carrier.list_sms(sim.iccid, 2, priority=PEOPLE) == []
    assert await carrier.cancel_sms(sim.iccid, ids[0], priority=PEOPLE) is True
    assert await carrier.cancel_sms(sim.iccid, ids[0], priority=PEOPLE) is False
    assert (await carrier.get_sms(sim.iccid, ids[0], priority=PEOPLE)).state is SmsState.FAILED


async def test_a_message_from_the_sim_is_listed(carrier: Carrier, sandbox: SandboxUnderTest) -> None:
    sim = first(sandbox)
    assert receive(sandbox.sandbox.world, sim, SmsMessage(payload="low battery"), "4711") is not None
    (listed,) = await carrier.list_sms(sim.iccid, 1, priority=PEOPLE)
    assert (listed.direction, listed.state, listed.source) == (
        SmsDirection.MO,
        SmsState.DELIVERED,
        sim.msisdn,
    )


@pytest.mark.parametrize("number", ["999", "x", "../../orders/1", ""])
async def test_an_unknown_message_or_order_is_not_found(
    carrier: Carrier, sandbox: SandboxUnderTest, number: str
) -> None:
    iccid = first(sandbox).iccid
    for ask in (carrier.get_sms, carrier.cancel_sms):
        with pytest.raises(NotFound) as caught:
            await ask(iccid, number, priority=PEOPLE)
        assert caught.value.code == "SMS_NOT_FOUND"
    with pytest.raises(NotFound) as caught:
        await carrier.get_order(number, priority=PEOPLE)
    assert caught.value.code == "ORDER_NOT_FOUND"
