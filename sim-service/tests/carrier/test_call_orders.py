"""Calls to the carrier about money, tickets and limits."""

from decimal import Decimal

import pytest

from once_sandbox.tickets.service import newest_first
from once_sandbox.volume_limits.models import VolumeLimits as SandboxLimits
from sim_service.carrier.base import Carrier
from sim_service.carrier.errors import (
    CarrierRejected,
)
from sim_service.carrier.models import (
    OrderKind,
    OrderState,
    OrderToPlace,
    SimChange,
    SmsToSend,
)

from ..support import SandboxUnderTest
from .calls_support import CARD, PEOPLE, TICKET, first


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
    known.say(
        world.clock.now() + 60, incoming=False, originator="1NCE", text="OutcomeCheck.", type="MAIL_OUT"
    )
    tickets = await carrier.list_tickets(1, priority=PEOPLE)
    assert [ticket.id for ticket in tickets] == [str(ticket.id) for ticket in newest_first(world)]
    assert (tickets[0].subject, tickets[0].status) == ("No data", "open")
    assert [(entry.incoming, entry.text) for entry in tickets[0].entries][-1] == (False, "OutcomeCheck.")
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
