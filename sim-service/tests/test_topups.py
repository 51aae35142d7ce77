"""Top-ups: bought once, whatever happens on the way; the ledgers on both sides agree."""

import asyncio
from typing import Any

import pytest

from fleet_kit.scope import EVERYTHING, Scope
from sim_service.carrier.facts import PaymentMethod
from sim_service.sims.service import SimService
from sim_service.topups.ledger import Ledger, Prices, Purchase
from sim_service.topups.models import TopUp
from sim_service.topups.resolver import Resolver
from sim_service.topups.service import TopUpService

from .money_support import agree, control, look, ours, pass_time, quiet, spoil, theirs, top_up
from .support import Fleet

LOST: dict[str, dict[str, Any]] = {
    "drop before": {"kind": "drop"},
    "drop after": {"kind": "drop", "when": "after"},
    "500 before": {"kind": "status", "status": 500},
    "500 after": {"kind": "status", "status": 500, "when": "after"},
    "html 503": {"kind": "html_503"},
    "html 503 after": {"kind": "html_503", "when": "after"},
    "truncated": {"kind": "truncate", "when": "after"},
    "empty 200": {"kind": "empty_200"},
    "empty 200 after": {"kind": "empty_200", "when": "after"},
    "not json": {"kind": "not_json", "when": "after"},
    "429": {"kind": "rate_limited", "headers": {"Retry-After": "0"}},
    "429 after": {"kind": "rate_limited", "headers": {"Retry-After": "0"}, "when": "after"},
    "expired token": {"kind": "expired_token"},
    "expired token after": {"kind": "expired_token", "when": "after"},
    "late": {"kind": "delay", "seconds": 0.8},
}


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
    await look(fleet)
    assert (await fleet.ours.viewer.get(f"/topups/{row['id']}")).json()["state"] == "ordered"
    assert await fleet.events("sim.topped_up") == [], "an order is no volume"
    await pass_time(fleet, 3)
    await look(fleet, times=2)
    booked = (await fleet.ours.viewer.get(f"/topups/{row['id']}")).json()
    assert (booked["state"], booked["estimated"], booked["reason"]) == ("booked", False, None)
    (event,) = await fleet.events("sim.topped_up")
    assert event["data"] == {"iccid": iccid, "order_id": booked["order_number"]}
    quota = (await fleet.ours.viewer.get(f"/sims/{iccid}/quota/data")).json()
    assert quota["total"] > 500, "what is left is known without waiting"
    assert await agree(fleet) == {iccid: 1}


@pytest.mark.parametrize("fault", LOST)
async def test_whatever_becomes_of_the_answer_a_top_up_is_bought_once(hasty: Fleet, fault: str) -> None:
    fleet = hasty
    (iccid,) = await fleet.owned_sims(1)
    spoil(fleet, **LOST[fault])
    answer = await top_up(fleet, iccid)
    assert answer.status_code == 202, answer.text
    row = answer.json()
    assert row["state"] in {"unknown", "ordered"}
    if row["state"] == "unknown":
        again = await top_up(fleet, iccid)
        assert (again.status_code, again.json()["error"]["code"]) == (409, "TOPUP_IN_PROGRESS")
        assert again.json()["error"]["details"]["id"] == row["id"]
    await quiet(fleet)
    await look(fleet)
    ordered = (await theirs(fleet))["topups_by_iccid"]
    (known,) = await ours(fleet)
    assert known["state"] == ("ordered" if ordered else "unknown")
    await pass_time(fleet, 3)
    await look(fleet, times=2, give_up=0)
    (known,) = await ours(fleet)
    if ordered:
        assert known["state"] == "booked"
    else:
        assert (known["state"], known["reason"]) == ("failed", "CARRIER_ORDER_NOT_FOUND")
    assert (await top_up(fleet, iccid)).json()["state"] == "ordered", "what is settled stands in nobody's way"
    await look(fleet, times=2)
    assert await agree(fleet) == {iccid: 2 if ordered else 1}
    assert len(await fleet.events("sim.topped_up")) == len(ordered)


async def test_top_ups_under_mixed_faults_leave_both_ledgers_equal(hasty: Fleet) -> None:
    fleet = hasty
    iccids = await fleet.owned_sims(10)
    for fault in LOST.values():
        spoil(fleet, **fault, share=0.6 / len(LOST), count=None, method="POST")
    for kind in ("html_503", "drop", "truncate", "empty_200"):
        spoil(fleet, kind, path="/v?/orders*", share=0.05, count=None)
    for _ in range(3):
        await asyncio.gather(*(top_up(fleet, iccid) for iccid in iccids))
        await fleet.calm_breaker()
    fleet.sandbox.sandbox.faults.rules.clear()
    await quiet(fleet)
    await pass_time(fleet, 3)
    await look(fleet, times=3, give_up=0)
    states = {row["state"] for row in await ours(fleet)}
    assert states <= {"booked", "failed"}
    booked = await agree(fleet)
    assert sum(booked.values()) == len(await fleet.events("sim.topped_up"))


async def test_a_key_that_comes_again_finds_its_purchase(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    answers = await asyncio.gather(*(top_up(fleet, iccid, key="one") for _ in range(6)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert await agree(fleet) == {iccid: 1}
    other = await top_up(fleet, iccid, key="one", payment_method="boleto")
    assert (other.status_code, other.json()["error"]["code"]) == (409, "IDEMPOTENCY_KEY_REUSED")


async def test_of_many_at_once_one_buys_and_the_others_are_told_so(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    answers = await asyncio.gather(*(top_up(fleet, iccid) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [202, 409, 409, 409, 409, 409]
    assert await agree(fleet) == {iccid: 1}
    second = await top_up(fleet, iccid, even_if_ordered=True)
    assert second.json()["state"] == "ordered"
    assert await agree(fleet) == {iccid: 2}


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
    (row,) = await ours(fleet)
    assert (row["state"], row["reason"]) == ("failed", "SIM_EXPIRED")
    sim.data.expires_at = expires_at
    assert (await top_up(fleet, iccid, key="again")).json()["state"] == "ordered"
    assert await agree(fleet) == {iccid: 1}


async def test_what_a_dead_process_left_is_looked_for_or_given_up(fleet: Fleet) -> None:
    first, second = await fleet.owned_sims(2)
    for iccid in (first, second):
        await top_up(fleet, iccid, payment_method="boleto")
    await fleet.rows(
        "UPDATE top_ups SET state = 'sent', order_number = NULL, ordered_at = NULL, "
        "next_look_at = now() - interval '1 second' WHERE iccid = :iccid RETURNING id",
        iccid=first,
    )
    number = (await theirs(fleet))["lines"][-1]["order_number"]
    await control(fleet, "POST", f"/orders/{number}/refuse")
    await fleet.rows(
        "UPDATE top_ups SET state = 'requested', order_number = NULL, sent_at = NULL, "
        "next_look_at = now() - interval '1 second' WHERE iccid = :iccid RETURNING id",
        iccid=second,
    )
    await look(fleet, times=2)
    found = {row["iccid"]: (row["state"], row["reason"]) for row in await ours(fleet)}
    assert found == {first: ("ordered", None), second: ("failed", "NEVER_SENT")}
    assert await agree(fleet) == {first: 1}


async def test_a_purchase_may_stay_open_however_often_it_is_looked_at(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    await top_up(fleet, iccid)
    await fleet.rows("UPDATE top_ups SET looks = 32767 RETURNING id")
    await pass_time(fleet, 3)
    await look(fleet)
    assert [row["state"] for row in await ours(fleet)] == ["booked"]


@pytest.mark.parametrize("fault", [{"status": 403}, {"status": 200, "body": "{}"}])
async def test_an_order_that_cannot_be_read_is_in_no_other_s_way(fleet: Fleet, fault: dict[str, Any]) -> None:
    first, second = await fleet.owned_sims(2)
    row = (await top_up(fleet, first)).json()
    await top_up(fleet, second)
    await pass_time(fleet, 3)
    spoil(fleet, "status", path=f"/v1/orders/{row['order_number']}", **fault)
    await look(fleet)
    assert {row["iccid"]: row["state"] for row in await ours(fleet)} == {first: "ordered", second: "booked"}


async def test_an_order_that_is_cancelled_costs_nothing(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    row = (await top_up(fleet, iccid, payment_method="bank_transfer")).json()
    await control(fleet, "POST", f"/orders/{row['order_number']}/refuse")
    await look(fleet)
    (known,) = await ours(fleet)
    assert (known["state"], known["reason"]) == ("failed", "CARRIER_ORDER_CANCELLED")
    assert await agree(fleet) == {}


async def test_without_v1_the_quota_tells_that_volume_was_added(fleet: Fleet) -> None:
    first, second = await fleet.owned_sims(2)
    fleet.sandbox.sandbox.world.behaviours.v1_enabled = False
    spoil(fleet, "drop", when="after")
    assert (await top_up(fleet, first)).json()["state"] == "unknown"
    assert (await top_up(fleet, second)).json()["state"] == "ordered"
    await look(fleet, give_up=0)
    assert {row["state"] for row in await ours(fleet)} == {"unknown", "ordered"}, "not paid yet"
    await pass_time(fleet, 3)
    await look(fleet, times=2, give_up=0)
    assert {row["state"] for row in await ours(fleet)} == {"booked"}
    assert len(await fleet.events("sim.topped_up")) == 2
    assert await agree(fleet) == {first: 1, second: 1}


def buyer(fleet: Fleet) -> TopUpService:
    return TopUpService(
        fleet.sessions,
        Scope(fleet.ours.id),
        fleet.app.state.resources.carrier,
        prices=Prices(fleet.settings.topup_price, "EUR"),
        fresh=60,
    )


async def test_many_sims_are_one_order_and_a_repetition_finds_it(fleet: Fleet) -> None:
    iccids = await fleet.owned_sims(5)
    purchase = Purchase(PaymentMethod.CREDIT_CARD, reference="job:1")
    foreign = fleet.sandbox.sims()[9].iccid
    for _ in range(2):
        outcomes = {one.iccid: one for one in await buyer(fleet).many([*iccids, foreign], purchase)}
        assert {outcomes[iccid].top_up.state for iccid in iccids} == {"ordered"}  # type: ignore[union-attr]
        assert outcomes[foreign].error.code == "SIM_NOT_FOUND"  # type: ignore[union-attr]
    await pass_time(fleet, 3)
    await look(fleet)
    assert {row["state"] for row in await ours(fleet)} == {"booked"}
    assert {row["amount"] for row in await ours(fleet)} == {"11.90"}
    assert (await theirs(fleet))["orders"] == 1
    assert await agree(fleet) == dict.fromkeys(iccids, 1)


async def test_one_expired_sim_does_not_keep_the_others_from_their_volume(fleet: Fleet) -> None:
    iccids = await fleet.owned_sims(4)
    fleet.sandbox.sims()[2].data.expires_at = 0
    outcomes = await buyer(fleet).many(iccids, Purchase(PaymentMethod.CREDIT_CARD))
    told = [(one.top_up.state, one.top_up.reason) for one in outcomes if one.top_up]
    assert told == [("ordered", None), ("ordered", None), ("failed", "SIM_EXPIRED"), ("ordered", None)]
    assert set(await agree(fleet)) == {iccids[0], iccids[1], iccids[3]}


async def intended(fleet: Fleet, iccids: list[str]) -> list[TopUp]:
    """Intents that nobody has sent."""
    async with fleet.sessions.begin() as session:
        sims = await SimService(session, EVERYTHING).some(iccids)
        ledger = Ledger(session, Prices(fleet.settings.topup_price, "EUR"))
        return (await ledger.intend(sims, Purchase(PaymentMethod.CREDIT_CARD))).made


async def test_a_refusal_leaves_alone_what_another_worker_has_sent(fleet: Fleet) -> None:
    first, second, _ = iccids = await fleet.owned_sims(3)
    fleet.sandbox.sims()[2].data.expires_at = 0
    rows = await intended(fleet, iccids)
    await fleet.rows(
        "UPDATE top_ups SET state = 'sent', sent_at = now() WHERE iccid = :iccid RETURNING id", iccid=first
    )
    await buyer(fleet).send(rows)
    assert {row["iccid"]: row["state"] for row in await ours(fleet)}[first] == "sent"
    assert (await theirs(fleet))["topups_by_iccid"] == {second: 1}


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
        await Resolver(fleet.sessions, carrier, give_up=900).look()
        return await real(*values, **named)

    monkeypatch.setattr(carrier, "top_up", slowly)
    await buyer(fleet).send(rows)
    assert set(await agree(fleet)) == set(iccids[1:])


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_lost_order_for_many_is_found_for_each_of_them(fleet: Fleet, when: str) -> None:
    iccids = await fleet.owned_sims(3)
    spoil(fleet, "drop", path="/v1/sims/topup", when=when)
    outcomes = await buyer(fleet).many(iccids, Purchase(PaymentMethod.CREDIT_CARD))
    assert {one.top_up.state for one in outcomes if one.top_up} == {"unknown"}
    await pass_time(fleet, 3)
    await look(fleet, times=2, give_up=0)
    assert {row["state"] for row in await ours(fleet)} == {"booked" if when == "after" else "failed"}
    assert await agree(fleet) == (dict.fromkeys(iccids, 1) if when == "after" else {})


async def test_the_ledger_is_read_by_sim_by_state_and_by_month(fleet: Fleet) -> None:
    first, second = await fleet.owned_sims(2)
    for iccid in (first, second):
        await top_up(fleet, iccid)
    await pass_time(fleet, 3)
    await look(fleet)
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


async def test_what_nobody_can_look_up_is_settled_by_an_admin(fleet: Fleet) -> None:
    first, second = await fleet.owned_sims(2)
    fleet.sandbox.sandbox.world.behaviours.v1_enabled = False
    spoil(fleet, "drop", when="after", count=2)
    for iccid in (first, second):
        await top_up(fleet, iccid)
    await fleet.rows("UPDATE top_ups SET before = NULL RETURNING id")
    await pass_time(fleet, 3)
    await look(fleet, give_up=0)
    rows = {row["iccid"]: row for row in await ours(fleet)}
    assert {row["state"] for row in rows.values()} == {"unknown"}, "nothing tells what was there before"
    for iccid, state in ((first, "booked"), (second, "failed")):
        path = f"/topups/{rows[iccid]['id']}/settle"
        assert (await fleet.ours.operator.post(path, json={"state": state})).status_code == 403
        assert (await fleet.theirs.admin.post(path, json={"state": state})).status_code == 404
        settled = (await fleet.ours.admin.post(path, json={"state": state})).json()
        assert settled["state"] == state
        again = await fleet.ours.admin.post(path, json={"state": state})
        assert (again.status_code, again.json()["error"]["code"]) == (409, "TOPUP_SETTLED")
    assert settled["reason"] == "SETTLED_BY_HAND"
    assert [event["data"]["iccid"] for event in await fleet.events("sim.topped_up")] == [first]


async def test_an_order_that_the_carrier_shows_is_not_settled_by_hand(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    row = (await top_up(fleet, iccid, payment_method="bank_transfer")).json()
    path = f"/topups/{row['id']}/settle"
    refused = await fleet.ours.admin.post(path, json={"state": "failed"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "TOPUP_ORDER_SHOWN")
    fleet.sandbox.broken = 503
    assert (await fleet.ours.admin.post(path, json={"state": "failed"})).status_code == 503
    fleet.sandbox.broken = None
    await fleet.calm_breaker()
    assert [row["state"] for row in await ours(fleet)] == ["ordered"]
    spoil(fleet, "status", path=f"/v1/orders/{row['order_number']}", status=404)
    settled = await fleet.ours.admin.post(path, json={"state": "failed"})
    assert (settled.status_code, settled.json()["state"]) == (200, "failed"), settled.text
