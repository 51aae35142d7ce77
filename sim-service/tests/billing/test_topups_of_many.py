"""Top-ups of many SIMs in one order, the ledger, and settling by hand."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import text

from fleet_kit.scope import EVERYTHING, Scope
from fleet_kit.testing import eventually
from sim_service.billing.budgets.service import BudgetService
from sim_service.billing.topups.ledger import Ledger, TopUpRequest, prices_of
from sim_service.billing.topups.models import TopUp
from sim_service.billing.topups.reconciliation import TopUpReconciler
from sim_service.billing.topups.service import TopUpService
from sim_service.carrier.models import PaymentMethod
from sim_service.inventory.sims.service import SimService

from ..billing_support import (
    agreed_ledgers,
    carrier_ledger,
    inject_fault,
    our_ledger,
    pass_time,
    poll_top_ups,
    top_up,
)
from ..support import Fleet


def buyer(fleet: Fleet) -> TopUpService:
    return TopUpService(
        fleet.sessions,
        Scope(fleet.ours.id),
        fleet.app.state.resources.carrier,
        prices=prices_of(fleet.settings),
        fresh=60,
    )


async def test_many_sims_are_one_order_and_a_repetition_finds_it(fleet: Fleet) -> None:
    iccids = await fleet.owned_sims(5)
    purchase = TopUpRequest(PaymentMethod.CREDIT_CARD, reference="job:1")
    foreign = fleet.sandbox.sims()[9].iccid
    for _ in range(2):
        outcomes = {one.iccid: one for one in await buyer(fleet).many([*iccids, foreign], purchase)}
        assert {outcomes[iccid].top_up.state for iccid in iccids} == {"ordered"}  # type: ignore[union-attr]
        assert outcomes[foreign].error.code == "SIM_NOT_FOUND"  # type: ignore[union-attr]
    await pass_time(fleet, 3)
    await poll_top_ups(fleet)
    assert {row["state"] for row in await our_ledger(fleet)} == {"booked"}
    assert {row["amount"] for row in await our_ledger(fleet)} == {"11.90"}
    assert (await carrier_ledger(fleet))["orders"] == 1
    assert await agreed_ledgers(fleet) == dict.fromkeys(iccids, 1)


async def test_one_expired_sim_does_not_keep_the_others_from_their_volume(fleet: Fleet) -> None:
    iccids = await fleet.owned_sims(4)
    fleet.sandbox.sims()[2].data.expires_at = 0
    outcomes = await buyer(fleet).many(iccids, TopUpRequest(PaymentMethod.CREDIT_CARD))
    told = [(one.top_up.state, one.top_up.reason) for one in outcomes if one.top_up]
    assert told == [("ordered", None), ("ordered", None), ("failed", "SIM_EXPIRED"), ("ordered", None)]
    assert set(await agreed_ledgers(fleet)) == {iccids[0], iccids[1], iccids[3]}


async def intended(fleet: Fleet, iccids: list[str]) -> list[TopUp]:
    """Intents that nobody has sent."""
    async with fleet.sessions.begin() as session:
        sims = await SimService(session, EVERYTHING).some(iccids)
        ledger = Ledger(session, prices_of(fleet.settings))
        return (await ledger.enter(sims, TopUpRequest(PaymentMethod.CREDIT_CARD))).made


async def test_a_refusal_leaves_alone_what_another_worker_has_sent(fleet: Fleet) -> None:
    first, second, _ = iccids = await fleet.owned_sims(3)
    fleet.sandbox.sims()[2].data.expires_at = 0
    rows = await intended(fleet, iccids)
    await fleet.rows(
        "UPDATE top_ups SET state = 'sent', sent_at = now() WHERE iccid = :iccid RETURNING id", iccid=first
    )
    await buyer(fleet).send(rows)
    assert {row["iccid"]: row["state"] for row in await our_ledger(fleet)}[first] == "sent"
    assert (await carrier_ledger(fleet))["topups_by_iccid"] == {second: 1}


async def test_the_grants_of_several_owners_are_locked_in_one_order(fleet: Fleet) -> None:
    """Else two purchases for SIMs of the same two owners, in another order, wait for each other."""
    low, high = sorted((fleet.ours, fleet.theirs), key=lambda one: one.id)
    await fleet.sync()
    first, second = (sim.iccid for sim in fleet.sandbox.sims()[:2])
    await fleet.claim(first, by=high)
    await fleet.claim(second, by=low)
    async with fleet.sessions.begin() as other:
        await BudgetService(other).reserve(low.id)
        buying = asyncio.create_task(intended(fleet, [first, second]))

        async def waits() -> bool:
            waiting = "wait_event_type = 'Lock' AND datname = current_database() AND query LIKE '%grants%'"
            return buying.done() or bool(await fleet.rows(f"SELECT 1 FROM pg_stat_activity WHERE {waiting}"))

        await eventually(waits)
        assert not buying.done(), "it waits for the lower one"
        free = "SELECT 1 FROM grants WHERE organization_id = :id FOR UPDATE NOWAIT"
        assert (await other.execute(text(free), {"id": high.id})).all(), "and does not hold the higher one"
    assert {row.organization_id for row in await buying} == {low.id, high.id}


async def test_purchases_wait_for_their_turn_however_long_it_takes(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    iccids = await fleet.owned_sims(5)
    fleet.sandbox.sims()[0].data.expires_at = 0
    rows = await intended(fleet, iccids)
    carrier = fleet.app.state.resources.carrier
    real = carrier.top_up

    async def slowly(*values: Any, **named: Any) -> Any:
        await fleet.rows("UPDATE top_ups SET next_look_at = next_look_at - interval '2 minutes' RETURNING id")
        await TopUpReconciler(fleet.sessions, carrier, give_up=900).poll()
        return await real(*values, **named)

    monkeypatch.setattr(carrier, "top_up", slowly)
    await buyer(fleet).send(rows)
    assert set(await agreed_ledgers(fleet)) == set(iccids[1:])


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_lost_order_for_many_is_found_for_each_of_them(fleet: Fleet, when: str) -> None:
    iccids = await fleet.owned_sims(3)
    inject_fault(fleet, "drop", path="/v1/sims/topup", when=when)
    outcomes = await buyer(fleet).many(iccids, TopUpRequest(PaymentMethod.CREDIT_CARD))
    assert {one.top_up.state for one in outcomes if one.top_up} == {"unknown"}
    await pass_time(fleet, 3)
    await poll_top_ups(fleet, times=2, give_up=0)
    assert {row["state"] for row in await our_ledger(fleet)} == {"booked" if when == "after" else "failed"}
    assert await agreed_ledgers(fleet) == (dict.fromkeys(iccids, 1) if when == "after" else {})


async def test_the_ledger_is_read_by_sim_by_state_and_by_month(fleet: Fleet) -> None:
    first, second = await fleet.owned_sims(2)
    for iccid in (first, second):
        await top_up(fleet, iccid)
    await pass_time(fleet, 3)
    await poll_top_ups(fleet)
    await top_up(fleet, first)
    page = (await fleet.ours.viewer.get(f"/sims/{first}/topups?page_size=1")).json()
    assert (page["total"], page["items"][0]["state"]) == (2, "ordered")
    rest = await fleet.ours.viewer.get(f"/sims/{first}/topups?page_size=1&cursor={page['next_cursor']}")
    assert [row["state"] for row in rest.json()["items"]] == ["booked"]
    booked = (await fleet.ours.viewer.get("/topups?state=booked")).json()
    assert booked["total"] == 2
    months = (await fleet.ours.viewer.get("/topups/months")).json()["items"]
    assert {(row["state"], row["count"], row["amount"]) for row in months} == {
        ("booked", 2, "23.80"), ("ordered", 1, "11.90"),
    }  # fmt: skip
    assert (await fleet.theirs.viewer.get("/topups")).json()["items"] == []


async def test_a_top_up_of_another_organisation_s_sim_or_by_a_viewer_is_refused(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    row = (await top_up(fleet, iccid)).json()
    for path in (f"/sims/{iccid}/topups", f"/topups/{row['id']}"):
        assert (await fleet.theirs.admin.get(path)).status_code == 404
    assert (await fleet.theirs.admin.post(f"/sims/{iccid}/topup")).status_code == 404
    assert (await fleet.ours.viewer.post(f"/sims/{iccid}/topup")).status_code == 403
    assert (await top_up(fleet, iccid, payment_method="barter")).status_code == 422
    assert (await top_up(fleet, iccid, amount=3)).status_code == 422
    assert (await fleet.ours.viewer.get("/topups/months?from=2026-13")).status_code == 422


async def test_what_nobody_can_look_up_is_settled_by_the_platform_administrator(fleet: Fleet) -> None:
    first, second = await fleet.owned_sims(2)
    fleet.sandbox.sandbox.world.behaviours.v1_enabled = False
    inject_fault(fleet, "drop", when="after", count=2)
    for iccid in (first, second):
        await top_up(fleet, iccid)
    await fleet.rows("UPDATE top_ups SET before = NULL RETURNING id")
    await pass_time(fleet, 3)
    await poll_top_ups(fleet, give_up=0)
    rows = {row["iccid"]: row for row in await our_ledger(fleet)}
    assert {row["state"] for row in rows.values()} == {"unknown"}, "nothing tells what was there before"
    for iccid, state in ((first, "booked"), (second, "failed")):
        path = f"/topups/{rows[iccid]['id']}/settle"
        assert (await fleet.ours.operator.post(path, json={"state": state})).status_code == 403
        assert (await fleet.theirs.admin.post(path, json={"state": state})).status_code == 404
        assert (await fleet.ours.admin.post(path, json={"state": state})).status_code == 403
        settled = (await fleet.platform.post(path, json={"state": state})).json()
        assert settled["state"] == state
        again = await fleet.platform.post(path, json={"state": state})
        assert (again.status_code, again.json()["error"]["code"]) == (409, "TOPUP_SETTLED")
    assert settled["reason"] == "SETTLED_BY_HAND"
    assert [event["data"]["iccid"] for event in await fleet.events("sim.topped_up")] == [first]


async def test_an_order_that_the_carrier_shows_is_not_settled_by_hand(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    row = (await top_up(fleet, iccid, payment_method="bank_transfer")).json()
    path = f"/topups/{row['id']}/settle"
    refused = await fleet.platform.post(path, json={"state": "failed"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "TOPUP_ORDER_SHOWN")
    fleet.sandbox.broken = 503
    assert (await fleet.platform.post(path, json={"state": "failed"})).status_code == 503
    fleet.sandbox.broken = None
    await fleet.calm_breaker()
    assert [row["state"] for row in await our_ledger(fleet)] == ["ordered"]
    inject_fault(fleet, "status", path=f"/v1/orders/{row['order_number']}", status=404)
    settled = await fleet.platform.post(path, json={"state": "failed"})
    assert (settled.status_code, settled.json()["state"]) == (200, "failed"), settled.text
