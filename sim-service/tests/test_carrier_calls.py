"""Every call of the carrier against the sandbox, in both of its profiles and in each API version."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import product
from typing import Any

import pytest
from redis.asyncio import Redis

from fleet_kit.errors import FleetError, NotFound
from once_sandbox.connectivity import sessions
from once_sandbox.faults.schemas import FaultRule
from once_sandbox.sims.models import Sim as SandboxSim
from once_sandbox.sms.schemas import SmsMessage
from once_sandbox.sms.service import receive
from once_sandbox.tickets.service import newest_first
from once_sandbox.volume_limits.models import VolumeLimits as SandboxLimits
from sim_service.carrier.base import Carrier
from sim_service.carrier.errors import (
    CarrierOperationUnavailable,
    CarrierOutcomeUnknown,
    CarrierRejected,
    CarrierSimNotFound,
)
from sim_service.carrier.facts import (
    NetworkState,
    OrderKind,
    OrderState,
    OrderToPlace,
    PaymentMethod,
    Priority,
    SimChange,
    SimStatus,
    SmsCoding,
    SmsDirection,
    SmsState,
    SmsToSend,
    TicketToOpen,
)
from sim_service.carrier.once.build import open_once
from sim_service.settings import Settings

from .support import SandboxUnderTest

PEOPLE = Priority.PEOPLE
NOBODYS = "8988280000000000017"
CARD = PaymentMethod.CREDIT_CARD
TICKET = TicketToOpen("No data", "Since noon.", "Ada", "ada@example.com")
Call = Callable[[Carrier, str], Awaitable[Any]]


def other(iccid: str) -> str:
    """The ICCID behind this one."""
    return str(int(iccid) + 1)


def orders_of(sandbox: SandboxUnderTest) -> int:
    return len(sandbox.sandbox.world.orders.by_number)


def planned(sandbox: SandboxUnderTest) -> list[str]:
    """The kinds of what the sandbox will do."""
    return [due.kind for due in sandbox.sandbox.world.schedule.waiting]


ONLY_V1: dict[str, Call] = {
    "usage": lambda carrier, iccid: carrier.usage(
        iccid, datetime.now(UTC).date(), datetime.now(UTC).date(), priority=PEOPLE
    ),
    "cell_info": lambda carrier, iccid: carrier.cell_info(iccid, priority=PEOPLE),
    "top_up_many": lambda carrier, iccid: carrier.top_up([iccid, NOBODYS], CARD, priority=PEOPLE),
    "auto_top_up": lambda carrier, iccid: carrier.set_auto_top_up([iccid], enabled=True, priority=PEOPLE),
    "extend_sims": lambda carrier, iccid: carrier.extend_sims([iccid], None, priority=PEOPLE),
    "list_orders": lambda carrier, _: carrier.list_orders(1, priority=PEOPLE),
    "get_order": lambda carrier, _: carrier.get_order("1", priority=PEOPLE),
    "place_order": lambda carrier, _: carrier.place_order(OrderToPlace(((1001, 1),)), priority=PEOPLE),
    "products": lambda carrier, _: carrier.products(priority=PEOPLE),
    "list_tickets": lambda carrier, _: carrier.list_tickets(1, priority=PEOPLE),
    "open_ticket": lambda carrier, _: carrier.open_ticket(TICKET, priority=PEOPLE),
    "limits": lambda carrier, _: carrier.limits(priority=PEOPLE),
    "limit_choices": lambda carrier, _: carrier.limit_choices("data", priority=PEOPLE),
    "set_limits": lambda carrier, _: carrier.set_limits(data=1, sms_mo=None, sms_mt=None, priority=PEOPLE),
    "transfer_sims": lambda carrier, iccid: carrier.transfer_sims([iccid], 7, priority=PEOPLE),
}
NEVER_REPEATED: dict[str, tuple[Call, Callable[[SandboxUnderTest], int]]] = {
    "send_sms": (
        lambda carrier, iccid: carrier.send_sms(iccid, SmsToSend("hi"), priority=PEOPLE),
        lambda sandbox: len(sandbox.sandbox.world.sms.by_id),
    ),
    "top_up": (lambda carrier, iccid: carrier.top_up([iccid], CARD, priority=PEOPLE), orders_of),
    "top_up_many": (
        lambda carrier, iccid: carrier.top_up([iccid, other(iccid)], CARD, priority=PEOPLE),
        orders_of,
    ),
    "place_order": (ONLY_V1["place_order"], orders_of),
    "extend_sims": (ONLY_V1["extend_sims"], orders_of),
    "open_ticket": (
        ONLY_V1["open_ticket"],
        lambda sandbox: len(newest_first(sandbox.sandbox.world)),
    ),
    "transfer_sims": (
        ONLY_V1["transfer_sims"],
        lambda sandbox: planned(sandbox).count("sims.release"),
    ),
}
WRITING_PATHS = ["*/sims/*/sms", "*/topup", "*/orders", "*/extension", "*/support", "*/simTransfer"]


@pytest.fixture(
    params=product(["spec", "recorded"], [("v2", "v1"), ("v1",)]), ids=lambda p: f"{p[0]}-{p[1][0]}"
)
async def carrier(
    request: pytest.FixtureRequest, settings: Settings, sandbox: SandboxUnderTest, redis: Redis
) -> AsyncIterator[Carrier]:
    """The client in front of a sandbox of either profile, with v2 preferred or with v1 alone."""
    name, versions = request.param
    sandbox.reset(name)
    async with open_once(settings.model_copy(update={"carrier_api_versions": versions}), redis) as opened:
        yield opened


@pytest.fixture
async def client(settings: Settings, sandbox: SandboxUnderTest, redis: Redis) -> AsyncIterator[Carrier]:
    async with open_once(settings, redis) as opened:
        yield opened


def first(sandbox: SandboxUnderTest) -> SandboxSim:
    return sandbox.sims()[0]


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


async def test_a_top_up_is_one_order_and_brings_volume_when_paid(
    carrier: Carrier, sandbox: SandboxUnderTest
) -> None:
    sim, world = first(sandbox), sandbox.sandbox.world
    number = await carrier.top_up([sim.iccid, sim.iccid], CARD, priority=PEOPLE)
    order = await carrier.get_order(number, priority=PEOPLE)
    assert (order.kind, order.state, order.iccids) == (OrderKind.TOPUP, OrderState.CREATED, (sim.iccid,))
    assert (order.amount, order.currency) == (Decimal("11.90"), "EUR")
    before = sim.data.granted
    world.clock.move(by=10)
    assert (await carrier.get_order(number, priority=PEOPLE)).state is not OrderState.CREATED
    assert sim.data.granted - before == 500 * 1048576


async def test_many_top_ups_are_one_order(carrier: Carrier, sandbox: SandboxUnderTest) -> None:
    iccids = [sim.iccid for sim in sandbox.sims()[:3]]
    order = await carrier.get_order(await carrier.top_up(iccids, CARD, priority=PEOPLE), priority=PEOPLE)
    assert (order.kind, set(order.iccids)) == (OrderKind.BULK_TOPUP, set(iccids))


async def test_orders_come_newest_first_by_tens(carrier: Carrier, sandbox: SandboxUnderTest) -> None:
    iccid = first(sandbox).iccid
    numbers = [await carrier.top_up([iccid], CARD, priority=PEOPLE) for _ in range(12)]
    pages = [await carrier.list_orders(page, priority=PEOPLE) for page in (1, 2, 3)]
    assert [order.number for page in pages for order in page.orders] == numbers[::-1]
    assert [len(page.orders) for page in pages] == [10, 2, 0]
    assert pages[0].total == 12


async def test_sims_are_ordered_with_address_and_reference(
    carrier: Carrier, sandbox: SandboxUnderTest
) -> None:
    address = {"street": "Main", "house_number": "1", "zip": "10115", "city": "Berlin", "country": "DE"}
    wanted = OrderToPlace(((1001, 2), (1010, 1)), address, "PO-7")
    number = await carrier.place_order(wanted, priority=PEOPLE)
    order = await carrier.get_order(number, priority=PEOPLE)
    assert (order.kind, order.products) == (OrderKind.ADDITIONAL_ORDER, ((1001, 2), (1010, 1)))
    assert order.shipping_address == address
    assert sandbox.sandbox.world.orders.by_number[int(number)].reference == "PO-7"


async def test_an_expired_sim_can_only_be_extended(carrier: Carrier, sandbox: SandboxUnderTest) -> None:
    sim, world = first(sandbox), sandbox.sandbox.world
    sim.data.expires_at = world.clock.now() - 1
    for refused in (
        carrier.top_up([sim.iccid], CARD, priority=PEOPLE),
        carrier.change_sim(sim.iccid, SimChange(label="x"), priority=PEOPLE),
        carrier.send_sms(sim.iccid, SmsToSend("x"), priority=PEOPLE),
    ):
        with pytest.raises(CarrierRejected) as caught:
            await refused
        assert caught.value.code == "SIM_EXPIRED"
    number = await carrier.extend_sims([sim.iccid], None, priority=PEOPLE)
    assert (await carrier.get_order(number, priority=PEOPLE)).iccids == (sim.iccid,)


async def test_auto_top_up_is_switched_on_and_off(carrier: Carrier, sandbox: SandboxUnderTest) -> None:
    sim = first(sandbox)
    for enabled in (True, False):
        await carrier.set_auto_top_up([sim.iccid], enabled=enabled, priority=PEOPLE)
        assert sim.auto_topup is enabled


async def test_products_have_prices(carrier: Carrier) -> None:
    products = {product.id: product for product in await carrier.products(priority=PEOPLE)}
    card = products[1001]
    assert (card.price, card.currency, card.package_size, card.months) == (Decimal("10.00"), "EUR", 1, 120)
    assert (card.largest_quantity, products[1002].largest_quantity) == (10_000, None)


async def test_tickets_come_with_their_conversation(carrier: Carrier, sandbox: SandboxUnderTest) -> None:
    world = sandbox.sandbox.world
    for _ in range(2):
        await carrier.open_ticket(TICKET, priority=PEOPLE)
    known = newest_first(world)[0]
    known.say(world.clock.now() + 60, incoming=False, originator="1NCE", text="Look.", type="MAIL_OUT")
    tickets = await carrier.list_tickets(1, priority=PEOPLE)
    assert [ticket.id for ticket in tickets] == [str(ticket.id) for ticket in newest_first(world)]
    assert (tickets[0].subject, tickets[0].status) == ("No data", "open")
    assert [(entry.incoming, entry.text) for entry in tickets[0].entries][-1] == (False, "Look.")
    assert await carrier.list_tickets(2, priority=PEOPLE) == []


async def test_limits_are_chosen_set_and_read(carrier: Carrier, sandbox: SandboxUnderTest) -> None:
    assert (await carrier.limits(priority=PEOPLE)).data is None
    choices = await carrier.limit_choices("sms_mo", priority=PEOPLE)
    assert (choices[0].value, choices[0].unit) == (Decimal(5), "SMS")
    await carrier.set_limits(data=4, sms_mo=choices[0].id, sms_mt=None, priority=PEOPLE)
    limits = await carrier.limits(priority=PEOPLE)
    assert limits.data is not None
    assert (limits.data.value, limits.data.unit, limits.sms_mt) == (Decimal(16), "MB", None)
    assert sandbox.sandbox.world.volume_limits == SandboxLimits(data=4, sms_mo=choices[0].id)


async def test_sims_are_given_away(carrier: Carrier, sandbox: SandboxUnderTest) -> None:
    sim, world = first(sandbox), sandbox.sandbox.world
    await carrier.transfer_sims([sim.iccid], 27_000, priority=PEOPLE)
    world.clock.move(by=10)
    with pytest.raises(CarrierRejected) as caught:
        await carrier.connectivity(sim.iccid, priority=PEOPLE)
    assert (caught.value.code, sim.organisation) == ("CARRIER_FORBIDDEN", 27_000)


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
