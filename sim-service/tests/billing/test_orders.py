"""Orders, products and extensions: read as known, bought once."""

import asyncio
from typing import Any
from uuid import uuid4

import httpx
import pytest

from sim_service.billing.orders.placement import OrderPlacement
from sim_service.billing.topups.reconciliation import TopUpReconciler
from sim_service.carrier.models import OrderToPlace, PaymentMethod, Priority

from ..billing_support import (
    DAY,
    agreed_ledgers,
    carrier_idle,
    carrier_ledger,
    inject_fault,
    our_ledger,
    pass_time,
    poll_top_ups,
    sandbox_control,
    short_time_budgets,
    top_up,
)
from ..support import Fleet
from .topup_support import LOST

WANTED = {"products": [{"product_id": 1001, "quantity": 3}], "customer_reference": "spring"}


async def place(fleet: Fleet, *, key: str | None = None, **body: Any) -> httpx.Response:
    headers = {"Idempotency-Key": key or str(uuid4())}
    return await fleet.ours.admin.post("/orders", json=WANTED | body, headers=headers)


async def synced(fleet: Fleet) -> dict[str, Any]:
    """Sync orders to the end."""
    asked = await fleet.ours.operator.post("/orders/sync")
    assert asked.status_code == 202, asked.text
    while await fleet.runner().once():
        pass
    job: dict[str, Any] = (await fleet.platform.get(f"/jobs/{asked.json()['id']}")).json()
    return job


async def look_for_requests(fleet: Fleet, *, give_up: float = 900) -> None:
    await fleet.rows("UPDATE order_requests SET next_look_at = now() WHERE NOT queued RETURNING id")
    await fleet.calm_breaker()
    placement = OrderPlacement(fleet.sessions, fleet.app.state.resources.carrier, give_up=give_up)
    await placement.poll()


def fresh_for(fleet: Fleet, **seconds: float) -> None:
    fleet.app.state.settings = fleet.settings.model_copy(update=seconds)


async def test_sims_are_ordered_once_and_the_order_is_followed(fleet: Fleet) -> None:
    answer = await place(fleet, key="one")
    assert answer.status_code == 202, answer.text
    request = answer.json()
    assert (request["state"], request["customer_reference"]) == ("ordered", "spring")
    assert answer.headers["location"] == f"/api/v1/orders/requests/{request['id']}"
    assert (await place(fleet, key="one")).json()["id"] == request["id"]
    number = request["order_number"]
    order = (await fleet.ours.viewer.get(f"/orders/{number}")).json()
    assert (order["state"], order["amount"], order["placed_here"]) == ("created", "35.70", True)
    await pass_time(fleet, 20)
    assert (await synced(fleet))["result"] == {"new": 0, "changed": 1}
    order = (await fleet.ours.viewer.get(f"/orders/{number}")).json()
    assert (order["state"], len(order["iccids"])) == ("completed", 3)
    assert (await carrier_ledger(fleet))["orders"] == 1
    assert (await fleet.theirs.viewer.get(f"/orders/{number}")).status_code == 404
    assert (await fleet.theirs.viewer.get("/orders")).json()["items"] == []
    assert (await fleet.theirs.viewer.get(f"/orders/requests/{request['id']}")).status_code == 404


@pytest.mark.parametrize("fault", LOST)
async def test_whatever_becomes_of_the_answer_sims_are_ordered_once(fleet: Fleet, fault: str) -> None:
    inject_fault(fleet, path="/v1/orders", method="POST", **LOST[fault])
    with short_time_budgets(fleet):
        answer = await place(fleet)
    assert answer.status_code == 202, answer.text
    if answer.json()["state"] == "unknown":
        again = await place(fleet)
        assert (again.status_code, again.json()["error"]["code"]) == (409, "ORDER_IN_PROGRESS")
    await carrier_idle(fleet)
    await look_for_requests(fleet, give_up=0)
    found = (await fleet.ours.viewer.get(f"/orders/requests/{answer.json()['id']}")).json()
    lines = (await carrier_ledger(fleet))["lines"]
    if lines:
        assert (found["state"], found["order_number"]) == ("ordered", str(lines[0]["order_number"]))
    else:
        assert (found["state"], found["reason"]) == ("failed", "CARRIER_ORDER_NOT_FOUND")
    assert (await place(fleet)).json()["state"] == "ordered"
    assert len((await carrier_ledger(fleet))["lines"]) == len(lines) + 1


async def test_orders_of_top_ups_are_seen_by_the_owners_of_their_sims(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    foreign = fleet.sandbox.sims()[5].iccid
    await fleet.claim(foreign, by=fleet.theirs)
    carrier = fleet.app.state.resources.carrier
    number = await carrier.top_up([iccid, foreign], PaymentMethod.CREDIT_CARD, priority=Priority.INTERACTIVE)
    unclaimed = fleet.sandbox.sims()[9].iccid
    await carrier.top_up([unclaimed], PaymentMethod.CREDIT_CARD, priority=Priority.INTERACTIVE)
    assert (await synced(fleet))["result"] == {"new": 2, "changed": 0}
    mine = (await fleet.ours.viewer.get("/orders")).json()
    assert [(row["order_number"], row["iccids"], row["amount"]) for row in mine["items"]] == [
        (number, [iccid], "11.90")
    ]
    assert (mine["stale"], mine["total"]) == (False, 1)
    assert (await fleet.platform.get("/orders")).json()["total"] == 2
    await fleet.claim(unclaimed)
    await synced(fleet)
    assert (await fleet.ours.viewer.get("/orders")).json()["total"] == 2
    one = (await fleet.ours.viewer.get(f"/orders?iccid={unclaimed}&kind=topup")).json()
    assert [row["iccids"] for row in one["items"]] == [[unclaimed]]


async def test_an_order_that_shows_up_late_revives_its_purchase(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    inject_fault(fleet, "drop", when="after")
    inject_fault(fleet, "status", path="/v1/orders", status=200, body="[]")
    await top_up(fleet, iccid)
    await poll_top_ups(fleet, give_up=0)
    (row,) = await our_ledger(fleet)
    assert (row["state"], row["reason"]) == ("failed", "CARRIER_ORDER_NOT_FOUND")
    await pass_time(fleet, 3)
    await synced(fleet)
    (row,) = await our_ledger(fleet)
    assert row["state"] == "booked"
    assert len(await fleet.events("sim.topped_up")) == 1
    assert await agreed_ledgers(fleet) == {iccid: 1}


async def test_a_later_order_is_no_purchase_that_was_given_up(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    inject_fault(fleet, "drop")
    await top_up(fleet, iccid)
    await poll_top_ups(fleet, give_up=0)
    await place(fleet)
    await fleet.rows("UPDATE order_requests SET state = 'unknown', order_number = NULL RETURNING id")
    await fleet.rows("UPDATE order_requests SET sent_at = sent_at - interval '1 hour' RETURNING id")
    await pass_time(fleet, DAY)
    carrier = fleet.app.state.resources.carrier
    await carrier.top_up([iccid], PaymentMethod.CREDIT_CARD, priority=Priority.INTERACTIVE)
    await pass_time(fleet, 3)
    await synced(fleet)
    await look_for_requests(fleet, give_up=0)
    (row,) = await our_ledger(fleet)
    assert (row["state"], row["reason"]) == ("failed", "CARRIER_ORDER_NOT_FOUND")
    assert await fleet.events("sim.topped_up") == []
    (request,) = (await fleet.ours.viewer.get("/orders/requests")).json()["items"]
    assert (request["state"], request["reason"]) == ("failed", "CARRIER_ORDER_NOT_FOUND")


async def test_a_second_sync_reads_only_what_can_have_changed(fleet: Fleet) -> None:
    for _ in range(25):
        await place(fleet, products=[{"product_id": 1002, "quantity": 1}])
    await pass_time(fleet, 60)
    first = await synced(fleet)
    assert (first["state"], first["result"]["new"] + first["result"]["changed"]) == ("succeeded", 25)
    fleet.sandbox.calls.clear()
    await synced(fleet)
    assert fleet.sandbox.called("/v1/orders") == 1


async def test_a_sync_reads_on_behind_the_page_that_somebody_looked_at(fleet: Fleet) -> None:
    carrier = fleet.app.state.resources.carrier
    fresh_for(fleet, order_fresh_seconds=0)
    for total in (15, 30):
        for _ in range(15):
            await carrier.place_order(OrderToPlace(((1002, 1),)), priority=Priority.INTERACTIVE)
        await pass_time(fleet, 60)
        assert (await fleet.platform.get("/orders")).json()["total"] == total - 5
        assert (await synced(fleet))["result"]["new"] == 5
        assert (await fleet.platform.get("/orders")).json()["total"] == total


async def test_a_purchase_is_looked_after_once_its_order_is_seen_to_have_changed(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    await top_up(fleet, iccid)
    fresh_for(fleet, order_fresh_seconds=0)
    await fleet.ours.viewer.get("/orders")
    await fleet.rows("UPDATE top_ups SET next_look_at = now() + interval '1 hour' RETURNING id")
    await fleet.ours.viewer.get("/orders")
    soon = "SELECT id FROM top_ups WHERE next_look_at < now() + interval '10 seconds'"
    assert await fleet.rows(soon) == []
    await pass_time(fleet, 3)
    await fleet.ours.viewer.get("/orders")
    assert len(await fleet.rows(soon)) == 1


@pytest.mark.parametrize("fault", ["drop", "expired_token", "rate_limited"])
async def test_an_expired_sim_is_prolonged_through_the_same_ledger(fleet: Fleet, fault: str) -> None:
    (iccid,) = await fleet.owned_sims(1)
    clock = fleet.sandbox.sandbox.world.clock
    fleet.sandbox.sims()[0].data.expires_at = clock.now() - DAY
    inject_fault(fleet, fault, path="/v1/sims/extension", when="after")
    answer = await fleet.ours.operator.post(f"/sims/{iccid}/extend", json={"product_id": 2001})
    assert (answer.status_code, answer.json()["state"]) == (202, "unknown")
    second = await fleet.ours.operator.post(f"/sims/{iccid}/extend")
    assert (second.status_code, second.json()["error"]["code"]) == (409, "TOPUP_IN_PROGRESS")
    await poll_top_ups(fleet)
    (row,) = await our_ledger(fleet)
    number = row["order_number"]
    await sandbox_control(fleet, "POST", f"/orders/{number}/pay")
    await poll_top_ups(fleet)
    (row,) = await our_ledger(fleet)
    assert (row["kind"], row["state"], row["amount"]) == ("extension", "booked", "11.90")
    assert (await carrier_ledger(fleet))["orders"] == 1
    assert await fleet.events("sim.topped_up") == []
    quota = (await fleet.ours.viewer.get(f"/sims/{iccid}/quota/data")).json()
    assert quota["state"] != "expired"
    assert (await fleet.ours.viewer.post(f"/sims/{iccid}/extend")).status_code == 403
    assert (await fleet.theirs.admin.post(f"/sims/{iccid}/extend")).status_code == 404


async def test_without_v1_what_needs_it_says_so_and_what_is_known_is_shown(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    behaviours = fleet.sandbox.sandbox.world.behaviours
    behaviours.v1_enabled = False
    calls = {
        "/orders": fleet.ours.viewer.get("/orders"),
        "/products": fleet.ours.viewer.get("/products"),
        "place": place(fleet),
        "extend": fleet.ours.operator.post(f"/sims/{iccid}/extend"),
    }
    for name, call in calls.items():
        answer = await call
        assert answer.status_code == 501, (name, answer.text)
        assert answer.json()["error"]["code"] == "CARRIER_OPERATION_UNAVAILABLE"
    assert {row["reason"] for row in await our_ledger(fleet)} == {"CARRIER_OPERATION_UNAVAILABLE"}
    behaviours.v1_enabled = True
    number = (await place(fleet)).json()["order_number"]
    await fleet.ours.viewer.get("/orders")
    behaviours.v1_enabled = False
    fresh_for(fleet, order_fresh_seconds=0)
    listed = (await fleet.ours.viewer.get("/orders")).json()
    assert (listed["total"], listed["stale_reason"]) == (1, "CARRIER_OPERATION_UNAVAILABLE")
    one = (await fleet.ours.viewer.get(f"/orders/{number}")).json()
    assert (one["order_number"], one["stale_reason"]) == (number, "CARRIER_OPERATION_UNAVAILABLE")


async def test_an_order_that_makes_no_sense_is_refused(fleet: Fleet) -> None:
    await fleet.ours.viewer.get("/products")
    refused: list[dict[str, Any]] = [
        {"products": []},
        {"products": [{"product_id": 1001, "quantity": 0}]},
        {"products": [{"product_id": 1001, "quantity": 1}, {"product_id": 1001, "quantity": 2}]},
        {"products": [{"product_id": 4711, "quantity": 1}]},
        {"products": [{"product_id": 1001, "quantity": 10_001}]},
        {"address": {"street": "x", "zip": "1", "city": "y", "country": "Germany"}},
        {"address": {"street": "x", "zip": "1", "city": "y", "country": "DE", "planet": "Mars"}},
        {"discount": 5},
    ]
    for wrong in refused:
        answer = await place(fleet, **wrong)
        assert answer.status_code == 422, (wrong, answer.text)
    keyless = await fleet.ours.admin.post("/orders", json=WANTED)
    assert (keyless.status_code, keyless.json()["error"]["code"]) == (400, "IDEMPOTENCY_KEY_REQUIRED")
    assert (await fleet.ours.operator.post("/orders", json=WANTED)).status_code == 403
    assert (await fleet.ours.viewer.get("/orders/4711")).status_code == 404
    assert (await carrier_ledger(fleet))["lines"] == []


async def test_many_readers_at_once_keep_an_order_once(fleet: Fleet) -> None:
    await place(fleet)
    await fleet.rows("DELETE FROM orders RETURNING number")
    await fleet.rows("DELETE FROM carrier_looks RETURNING name")
    answers = await asyncio.gather(*(fleet.ours.viewer.get("/orders") for _ in range(8)))
    assert {answer.json()["total"] for answer in answers} == {1}


async def test_a_late_order_is_matched_though_the_sync_fails_right_after_storing_it(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    (iccid,) = await fleet.owned_sims(1)
    inject_fault(fleet, "drop", when="after")
    inject_fault(fleet, "status", path="/v1/orders", status=200, body="[]")
    await top_up(fleet, iccid)
    await poll_top_ups(fleet, give_up=0)
    await pass_time(fleet, 3)

    async def broken(*_: Any) -> None:
        raise KeyError("broken")

    with monkeypatch.context() as breaking:
        breaking.setattr(TopUpReconciler, "apply", broken)
        assert (await synced(fleet))["state"] == "queued"
    await poll_top_ups(fleet)
    (row,) = await our_ledger(fleet)
    assert row["state"] == "booked"
