"""Who just registered: nothing is spent, sent or asked for at the carrier in the account's name."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from ..billing.policy_support import decided, evaluate, leave, policy_of
from ..billing_support import carrier_ledger, top_up
from ..bulk.bulk_support import PAID, bulk, items, run
from ..sms_support import at_carrier, run_all_due, send, shown
from ..support import Fleet

TICKET = {"subject": "No data", "text": "Since noon nothing arrives."}
ORDER = {"products": [{"product_id": 1001, "quantity": 9_999}]}


def attempts(iccid: str) -> dict[str, tuple[str, str, Any]]:
    """What is tried: the switch that it needs, path and body."""
    in_an_hour = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    return {
        "orders": ("orders", "/orders", ORDER),
        "top_ups": ("top_ups", f"/sims/{iccid}/topup", PAID),
        "extensions": ("extensions", f"/sims/{iccid}/extend", {}),
        "extension with a product": ("extensions", f"/sims/{iccid}/extend", {"product_id": 2001}),
        "sms": ("sms", f"/sims/{iccid}/sms", {"text": "hello"}),
        "scheduled sms": ("sms", f"/sims/{iccid}/sms", {"text": "hello", "send_at": in_an_hour}),
        "tickets": ("tickets", "/support-tickets", TICKET),
        "resets": ("resets", f"/sims/{iccid}/connectivity/reset", None),
    }


async def untouched(fleet: Fleet) -> None:
    """The carrier was asked for nothing that costs money or speaks in the account's name."""
    assert (await carrier_ledger(fleet))["lines"] == []
    assert not fleet.sandbox.sandbox.world.tickets.by_id
    for part in ("/reset", "/topup", "/extension"):
        assert fleet.sandbox.called(part) == 0
    assert all(not at_carrier(fleet, sim.iccid) for sim in fleet.sandbox.sims()[:3])


@pytest.mark.parametrize("attempt", attempts(""))
async def test_a_fresh_organisation_is_refused(fleet: Fleet, attempt: str) -> None:
    (iccid,) = await fleet.owned_sims(1)
    await fleet.withdraw_grant(fleet.ours)
    switch, path, body = attempts(iccid)[attempt]
    headers = {"Idempotency-Key": str(uuid4())}
    answer = await fleet.ours.admin.post(path, json=body, headers=headers)
    assert answer.status_code == 403, answer.text
    error = answer.json()["error"]
    assert (error["code"], error["details"]["switch"]) == ("NOT_GRANTED", switch)
    assert f"PUT /api/v1/sim/grants/{fleet.ours.id}" in error["message"], "says what the administrator does"
    await untouched(fleet)
    await fleet.grant(fleet.ours, **{switch: False})
    still = await fleet.ours.admin.post(path, json=body, headers=headers)
    assert still.json()["error"]["code"] == "NOT_GRANTED", "each switch is for itself"
    await untouched(fleet)


async def test_money_without_a_budget_is_refused(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    await fleet.grant(fleet.ours, budget_per_month="0")
    for switch in ("orders", "top_ups", "extensions", "extension with a product"):
        _, path, body = attempts(iccid)[switch]
        headers = {"Idempotency-Key": str(uuid4())}
        answer = await fleet.ours.admin.post(path, json=body, headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "BUDGET_EXCEEDED"), answer.text
        assert answer.json()["error"]["details"]["remaining"] == "0.00"
    await untouched(fleet)


@pytest.mark.parametrize(("action", "params"), [("top_up", PAID), ("sms", {"text": "hello"})])
async def test_a_bulk_action_of_a_fresh_organisation_does_nothing(
    fleet: Fleet, action: str, params: dict[str, Any]
) -> None:
    iccids = await fleet.owned_sims(3)
    await fleet.withdraw_grant(fleet.ours)
    job = await bulk(fleet, action, iccids, params=params)
    await run(fleet)
    assert {(item["state"], item["error_code"]) for item in await items(fleet, job)} == {
        ("failed", "NOT_GRANTED")
    }
    await untouched(fleet)


async def test_a_bulk_action_ends_where_its_grant_is_withdrawn(fleet: Fleet) -> None:
    """Also what a worker that died had entered but not asked for."""
    iccids = await fleet.owned_sims(2)
    job = await bulk(fleet, "top_up", iccids, params=PAID)
    await fleet.rows(
        "INSERT INTO top_ups (id, organization_id, iccid, kind, payment_method, amount, currency, estimated,"
        " reference, state, looks, next_look_at) VALUES (gen_random_uuid(), :owner, :iccid, 'top_up',"
        " 'credit_card', 11.9, 'EUR', true, :job, 'requested', 0, now() + interval '1 hour') RETURNING id",
        owner=fleet.ours.id,
        iccid=iccids[0],
        job=f"job:{job['id']}",
    )
    await fleet.withdraw_grant(fleet.ours)
    await run(fleet)
    found = await items(fleet, job)
    assert {item["state"] for item in found} == {"failed"}
    await untouched(fleet)


async def test_a_policy_of_a_fresh_organisation_buys_nothing(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    leave(fleet, 0.05, 0)
    await fleet.withdraw_grant(fleet.ours)
    policy = await policy_of(fleet)
    assert await evaluate(fleet, policy) == {"skipped": 1}
    assert await decided(fleet, policy) == {(iccid, "skipped", "not_granted")}
    await untouched(fleet)


async def test_an_approved_proposal_buys_nothing_once_the_grant_is_withdrawn(fleet: Fleet) -> None:
    await fleet.owned_sims(2)
    leave(fleet, 0.05, 0, 1)
    policy = await policy_of(fleet, approval_above_sims=1)
    assert await evaluate(fleet, policy) == {"proposed": 2}
    await fleet.withdraw_grant(fleet.ours)
    path = f"/topup-policies/{policy['id']}/proposals"
    (proposal,) = (await fleet.ours.viewer.get(path)).json()["items"]
    assert (await fleet.ours.admin.post(f"{path}/{proposal['id']}/approve")).status_code == 202
    while await fleet.runner().once():
        pass
    await untouched(fleet)


async def test_a_waiting_message_is_not_sent_once_the_grant_is_withdrawn(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    in_an_hour = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    message = await send(fleet, iccid, text="hello", send_at=in_an_hour)
    assert message["state"] == "scheduled"
    await fleet.grant(fleet.ours, sms=False)
    due = "at = now() - interval '1 second', look_at = now() - interval '1 second'"
    await fleet.rows(f"UPDATE sms_messages SET {due} RETURNING id")
    await run_all_due(fleet)
    found = await shown(fleet, iccid, message["id"])
    assert (found["state"], found["error_code"]) == ("cancelled", "NOT_GRANTED")
    await untouched(fleet)


async def test_a_repeated_request_needs_the_grant_anew(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    await fleet.grant(fleet.ours, top_ups=False)
    refused = await top_up(fleet, iccid, key="one")
    assert refused.json()["error"]["code"] == "NOT_GRANTED"
    await fleet.grant(fleet.ours)
    assert (await top_up(fleet, iccid, key="one")).status_code == 202, "a refusal uses no key up"
    assert len((await carrier_ledger(fleet))["lines"]) == 1
