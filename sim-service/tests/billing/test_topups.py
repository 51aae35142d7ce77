"""Top-ups: bought once, whatever happens on the way; the ledgers on both sides agree."""

import asyncio
from typing import Any

import pytest

from ..billing_support import (
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


async def test_a_top_up_is_ordered_and_booked_once_it_is_paid(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    answer = await top_up(fleet, iccid)
    assert answer.status_code == 202, answer.text
    row = answer.json()
    assert (row["state"], row["amount"], row["currency"], row["estimated"]) == (
        "ordered",
        "11.90",
        "EUR",
        True,
    )
    assert answer.headers["location"] == f"/api/v1/topups/{row['id']}"
    await poll_top_ups(fleet)
    assert (await fleet.ours.viewer.get(f"/topups/{row['id']}")).json()["state"] == "ordered"
    assert await fleet.events("sim.topped_up") == [], "an order is no volume"
    await pass_time(fleet, 3)
    await poll_top_ups(fleet, times=2)
    booked = (await fleet.ours.viewer.get(f"/topups/{row['id']}")).json()
    assert (booked["state"], booked["estimated"], booked["reason"]) == ("booked", False, None)
    (event,) = await fleet.events("sim.topped_up")
    assert event["data"] == {"iccid": iccid, "order_id": booked["order_number"]}
    quota = (await fleet.ours.viewer.get(f"/sims/{iccid}/quota/data")).json()
    assert quota["total"] > 500, "what is left is known without waiting"
    assert await agreed_ledgers(fleet) == {iccid: 1}


@pytest.mark.parametrize("fault", LOST)
async def test_whatever_becomes_of_the_answer_a_top_up_is_bought_once(fleet: Fleet, fault: str) -> None:
    (iccid,) = await fleet.owned_sims(1)
    inject_fault(fleet, **LOST[fault])
    with short_time_budgets(fleet):
        answer = await top_up(fleet, iccid)
    assert answer.status_code == 202, answer.text
    row = answer.json()
    assert row["state"] in {"unknown", "ordered"}
    if row["state"] == "unknown":
        again = await top_up(fleet, iccid)
        assert (again.status_code, again.json()["error"]["code"]) == (409, "TOPUP_IN_PROGRESS")
        assert again.json()["error"]["details"]["id"] == row["id"]
    await carrier_idle(fleet)
    await poll_top_ups(fleet)
    ordered = (await carrier_ledger(fleet))["topups_by_iccid"]
    (known,) = await our_ledger(fleet)
    assert known["state"] in ({"ordered", "booked"} if ordered else {"unknown"})
    await pass_time(fleet, 3)
    await poll_top_ups(fleet, times=2, give_up=0)
    (known,) = await our_ledger(fleet)
    if ordered:
        assert known["state"] == "booked"
    else:
        assert (known["state"], known["reason"]) == ("failed", "CARRIER_ORDER_NOT_FOUND")
    assert (await top_up(fleet, iccid)).json()["state"] == "ordered", "what is settled stands in nobody's way"
    await poll_top_ups(fleet, times=2)
    assert await agreed_ledgers(fleet) == {iccid: 2 if ordered else 1}
    assert len(await fleet.events("sim.topped_up")) == len(ordered)


async def test_top_ups_under_mixed_faults_leave_both_ledgers_equal(fleet: Fleet) -> None:
    iccids = await fleet.owned_sims(10)
    for fault in LOST.values():
        inject_fault(fleet, **fault, share=0.6 / len(LOST), count=None, method="POST")
    for kind in ("html_503", "drop", "truncate", "empty_200"):
        inject_fault(fleet, kind, path="/v?/orders*", share=0.05, count=None)
    for _ in range(3):
        with short_time_budgets(fleet):
            await asyncio.gather(*(top_up(fleet, iccid) for iccid in iccids))
        await fleet.calm_breaker()
    fleet.sandbox.sandbox.faults.rules.clear()
    await carrier_idle(fleet)
    await pass_time(fleet, 3)
    await poll_top_ups(fleet, times=3, give_up=0)
    states = {row["state"] for row in await our_ledger(fleet)}
    assert states <= {"booked", "failed"}
    booked = await agreed_ledgers(fleet)
    assert sum(booked.values()) == len(await fleet.events("sim.topped_up"))


async def test_a_key_that_comes_again_finds_its_purchase(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    answers = await asyncio.gather(*(top_up(fleet, iccid, key="one") for _ in range(6)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert await agreed_ledgers(fleet) == {iccid: 1}
    other = await top_up(fleet, iccid, key="one", payment_method="boleto")
    assert (other.status_code, other.json()["error"]["code"]) == (409, "IDEMPOTENCY_KEY_REUSED")


async def test_of_many_at_once_one_buys_and_the_others_are_told_so(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    answers = await asyncio.gather(*(top_up(fleet, iccid) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [202, 409, 409, 409, 409, 409]
    assert await agreed_ledgers(fleet) == {iccid: 1}
    second = await top_up(fleet, iccid, even_if_ordered=True)
    assert second.json()["state"] == "ordered"
    assert await agreed_ledgers(fleet) == {iccid: 2}


async def test_a_purchase_that_nobody_knows_the_end_of_is_in_the_way_of_any_other(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    first = (await top_up(fleet, iccid)).json()
    second = (await top_up(fleet, iccid, even_if_ordered=True)).json()
    await fleet.rows(
        "UPDATE top_ups SET state = 'unknown', order_number = NULL WHERE id = :id RETURNING id",
        id=first["id"],
    )
    await fleet.rows("UPDATE top_ups SET looks = 1 WHERE id = :id RETURNING id", id=second["id"])
    third = await top_up(fleet, iccid, even_if_ordered=True)
    assert (third.status_code, third.json()["error"]["details"]["id"]) == (409, first["id"])


async def test_a_refusal_costs_nothing_and_may_be_tried_again_with_the_same_key(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    sim = fleet.sandbox.sims()[0]
    expires_at, sim.data.expires_at = sim.data.expires_at, 0
    refused = await top_up(fleet, iccid, key="again")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "SIM_EXPIRED")
    (row,) = await our_ledger(fleet)
    assert (row["state"], row["reason"]) == ("failed", "SIM_EXPIRED")
    sim.data.expires_at = expires_at
    assert (await top_up(fleet, iccid, key="again")).json()["state"] == "ordered"
    assert await agreed_ledgers(fleet) == {iccid: 1}


async def test_what_a_dead_process_left_is_looked_for_or_given_up(fleet: Fleet) -> None:
    first, second = await fleet.owned_sims(2)
    for iccid in (first, second):
        await top_up(fleet, iccid, payment_method="boleto")
    await fleet.rows(
        "UPDATE top_ups SET state = 'sent', order_number = NULL, ordered_at = NULL, "
        "next_look_at = now() - interval '1 second' WHERE iccid = :iccid RETURNING id",
        iccid=first,
    )
    number = (await carrier_ledger(fleet))["lines"][-1]["order_number"]
    await sandbox_control(fleet, "POST", f"/orders/{number}/refuse")
    await fleet.rows(
        "UPDATE top_ups SET state = 'requested', order_number = NULL, sent_at = NULL, "
        "next_look_at = now() - interval '1 second' WHERE iccid = :iccid RETURNING id",
        iccid=second,
    )
    await poll_top_ups(fleet, times=2)
    found = {row["iccid"]: (row["state"], row["reason"]) for row in await our_ledger(fleet)}
    assert found == {first: ("ordered", None), second: ("failed", "NEVER_SENT")}
    assert await agreed_ledgers(fleet) == {first: 1}


async def test_a_purchase_may_stay_open_however_often_it_is_looked_at(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    await top_up(fleet, iccid)
    await fleet.rows("UPDATE top_ups SET looks = 32767 RETURNING id")
    await pass_time(fleet, 3)
    await poll_top_ups(fleet)
    assert [row["state"] for row in await our_ledger(fleet)] == ["booked"]


@pytest.mark.parametrize("fault", [{"status": 403}, {"status": 200, "body": "{}"}])
async def test_an_order_that_cannot_be_read_is_in_no_other_s_way(fleet: Fleet, fault: dict[str, Any]) -> None:
    first, second = await fleet.owned_sims(2)
    row = (await top_up(fleet, first)).json()
    await top_up(fleet, second)
    await pass_time(fleet, 3)
    inject_fault(fleet, "status", path=f"/v1/orders/{row['order_number']}", **fault)
    await poll_top_ups(fleet)
    assert {row["iccid"]: row["state"] for row in await our_ledger(fleet)} == {
        first: "ordered",
        second: "booked",
    }


async def test_an_order_that_is_cancelled_costs_nothing(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    row = (await top_up(fleet, iccid, payment_method="bank_transfer")).json()
    await sandbox_control(fleet, "POST", f"/orders/{row['order_number']}/refuse")
    await poll_top_ups(fleet)
    (known,) = await our_ledger(fleet)
    assert (known["state"], known["reason"]) == ("failed", "CARRIER_ORDER_CANCELLED")
    assert await agreed_ledgers(fleet) == {}


async def test_without_v1_the_quota_tells_that_volume_was_added(fleet: Fleet) -> None:
    first, second = await fleet.owned_sims(2)
    fleet.sandbox.sandbox.world.behaviours.v1_enabled = False
    inject_fault(fleet, "drop", when="after")
    assert (await top_up(fleet, first)).json()["state"] == "unknown"
    assert (await top_up(fleet, second)).json()["state"] == "ordered"
    await poll_top_ups(fleet, give_up=0)
    assert {row["state"] for row in await our_ledger(fleet)} == {"unknown", "ordered"}, "not paid yet"
    await pass_time(fleet, 3)
    await poll_top_ups(fleet, times=2, give_up=0)
    assert {row["state"] for row in await our_ledger(fleet)} == {"booked"}
    assert len(await fleet.events("sim.topped_up")) == 2
    assert await agreed_ledgers(fleet) == {first: 1, second: 1}


async def test_a_filter_that_no_database_takes_is_refused(fleet: Fleet) -> None:
    answer = await fleet.ours.viewer.get("/topups", params={"order_number": "\0"})
    assert answer.status_code == 422
