"""Orders above the limit: nothing goes to the carrier before the platform administrator has decided."""

import asyncio
from typing import Any
from uuid import uuid4

import httpx

from sim_service.billing.orders.placement import OrderPlacement

from ..billing_support import carrier_ledger, inject_fault
from ..support import Fleet


async def order(fleet: Fleet, quantity: int = 3, *, key: str | None = None) -> httpx.Response:
    headers = {"Idempotency-Key": key or str(uuid4())}
    body = {
        "products": [{"product_id": 1001, "quantity": quantity}],
        "customer_reference": "spring",
        "address": {"street": "Main Street", "zip": "1", "city": "Berlin", "country": "DE"},
    }
    return await fleet.ours.admin.post("/orders", json=body, headers=headers)


async def waiting(fleet: Fleet, **grant: Any) -> dict[str, Any]:
    """An order that waits."""
    await fleet.grant(fleet.ours, **({"order_approval_above": "30"} | grant))
    answer = await order(fleet, key="one")
    assert answer.status_code == 202, answer.text
    request: dict[str, Any] = answer.json()
    assert request["state"] == "awaiting_approval"
    return request


async def lines(fleet: Fleet) -> int:
    return len((await carrier_ledger(fleet))["lines"])


async def decide(fleet: Fleet, request: dict[str, Any], decision: str) -> httpx.Response:
    return await fleet.platform.post(f"/orders/requests/{request['id']}/{decision}")


async def test_an_order_above_the_limit_waits_and_is_placed_once_when_approved(fleet: Fleet) -> None:
    request = await waiting(fleet)
    assert (await order(fleet, key="one")).json()["id"] == request["id"]
    assert (await order(fleet, key="two")).json()["error"]["code"] == "ORDER_IN_PROGRESS"
    listed = (await fleet.platform.get("/orders/requests?state=awaiting_approval")).json()["items"]
    assert [(row["id"], row["amount"]) for row in listed] == [(request["id"], "35.70")]
    assert await lines(fleet) == 0
    answers = await asyncio.gather(*(decide(fleet, request, "approve") for _ in range(3)))
    assert {answer.status_code for answer in answers} == {202}
    again = (await decide(fleet, request, "approve")).json()
    assert (again["state"], again["decided_by"] is not None) == ("ordered", True)
    assert (await carrier_ledger(fleet))["orders"] == 1
    placed = next(iter(fleet.sandbox.sandbox.world.orders.by_number.values()))
    assert (placed.products, placed.reference) == ({1001: 3}, "spring")
    assert (placed.address or {})["city"] == "Berlin"
    late = await decide(fleet, request, "reject")
    assert (late.status_code, late.json()["error"]["code"]) == (409, "ORDER_NOT_AWAITING")
    assert (await fleet.platform.get("/orders/requests?state=awaiting_approval")).json()["items"] == []


async def test_the_limit_of_the_settings_holds_where_the_grant_has_none(fleet: Fleet) -> None:
    await fleet.grant(fleet.ours, order_approval_above=None)
    assert (await order(fleet, 42)).json()["state"] == "ordered"  # 499.80
    assert (await order(fleet, 43)).json()["state"] == "awaiting_approval"  # 511.70
    fleet.app.state.settings = fleet.settings.model_copy(update={"order_approval_above": 0})
    assert (await order(fleet, 1)).json()["state"] == "awaiting_approval"


async def test_a_rejected_order_never_reaches_the_carrier(fleet: Fleet) -> None:
    request = await waiting(fleet)
    rejected = await decide(fleet, request, "reject")
    assert rejected.status_code == 200
    assert (rejected.json()["state"], rejected.json()["reason"]) == ("failed", "APPROVAL_REJECTED")
    assert (await decide(fleet, request, "reject")).json() == rejected.json()
    assert (await decide(fleet, request, "approve")).json()["error"]["code"] == "ORDER_NOT_AWAITING"
    left = (await fleet.ours.admin.get(f"/sim/grants/{fleet.ours.id}/budget")).json()
    assert left["spent"] == {}
    assert await lines(fleet) == 0
    assert (await order(fleet, key="one")).json()["id"] != request["id"], "it may be asked for anew"


async def test_only_the_platform_administrator_decides(fleet: Fleet) -> None:
    request = await waiting(fleet)
    for decision in ("approve", "reject"):
        path = f"/orders/requests/{request['id']}/{decision}"
        for person in (fleet.ours.admin, fleet.theirs.admin):
            assert (await person.post(path)).status_code == 403
        assert (await fleet.anyone.post(path)).status_code == 401
        assert (await fleet.platform.post(f"/orders/requests/{uuid4()}/{decision}")).status_code == 404
    assert await lines(fleet) == 0


async def test_what_waits_holds_its_money_and_is_weighed_again_when_approved(fleet: Fleet) -> None:
    request = await waiting(fleet, budget_per_month="40")
    assert (await order(fleet, 1)).json()["error"]["code"] == "BUDGET_EXCEEDED"
    await fleet.grant(fleet.ours, budget_per_month="35", order_approval_above="30")
    refused = await decide(fleet, request, "approve")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "BUDGET_EXCEEDED")
    await fleet.grant(fleet.ours, orders=False)
    refused = await decide(fleet, request, "approve")
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "NOT_GRANTED")
    assert await lines(fleet) == 0
    await fleet.grant(fleet.ours, budget_per_month="36", order_approval_above="30")
    assert (await decide(fleet, request, "approve")).json()["state"] == "ordered"


async def test_an_order_of_last_month_counts_in_the_month_of_its_approval(fleet: Fleet) -> None:
    request = await waiting(fleet, budget_per_month="40")
    old = "created_at = now() - interval '40 days', counted_at = now() - interval '40 days'"
    await fleet.rows(f"UPDATE order_requests SET {old} RETURNING id")
    assert (await order(fleet, 2)).json()["state"] == "ordered", "a new month has a new budget"
    refused = await decide(fleet, request, "approve")
    assert refused.json()["error"]["code"] == "BUDGET_EXCEEDED"
    await fleet.grant(fleet.ours, budget_per_month="60", order_approval_above="30")
    assert (await decide(fleet, request, "approve")).status_code == 202
    left = (await fleet.ours.admin.get(f"/sim/grants/{fleet.ours.id}/budget")).json()
    assert left["spent"] == {"EUR": "59.50"}


async def test_what_nobody_decides_holds_its_money_for_a_week_only(fleet: Fleet) -> None:
    """Else one forgotten request takes a month's budget, and its products, for good."""
    request = await waiting(fleet, budget_per_month="40")
    worker = OrderPlacement(fleet.sessions, fleet.app.state.resources.carrier, give_up=900)
    for days, state in ((6, "awaiting_approval"), (7, "failed")):
        waits = f"created_at = now() - interval '{days} days 1 minute'"
        await fleet.rows(f"UPDATE order_requests SET {waits} RETURNING id")
        await worker.poll()
        found = (await fleet.ours.viewer.get(f"/orders/requests/{request['id']}")).json()
        assert found["state"] == state
    assert (found["reason"], found["decided_at"]) == ("APPROVAL_EXPIRED", None)
    for decision in ("approve", "reject"):
        late = await decide(fleet, request, decision)
        assert (late.status_code, late.json()["error"]["code"]) == (409, "ORDER_NOT_AWAITING")
    left = (await fleet.ours.admin.get(f"/sim/grants/{fleet.ours.id}/budget")).json()
    assert left["remaining"] == "40.00"
    assert (await order(fleet, key="one")).json()["state"] == "awaiting_approval", "it may be asked for anew"
    assert await lines(fleet) == 0


async def test_a_refusal_after_the_approval_is_noted(fleet: Fleet) -> None:
    request = await waiting(fleet)
    inject_fault(fleet, "status", path="/v1/orders", method="POST", status=400, body="{}")
    assert (await decide(fleet, request, "approve")).status_code == 409
    found = (await fleet.ours.viewer.get(f"/orders/requests/{request['id']}")).json()
    assert (found["state"], found["reason"]) == ("failed", "CARRIER_REJECTED")
    late = await decide(fleet, request, "approve")
    assert (late.status_code, late.json()["error"]["code"]) == (409, "ORDER_NOT_AWAITING")
    assert late.json()["error"]["details"] == {"state": "failed", "reason": "CARRIER_REJECTED"}
    assert await lines(fleet) == 0


async def test_an_approval_whose_process_died_is_not_said_to_be_accepted(fleet: Fleet) -> None:
    """Nothing was asked of the carrier, and nothing will be: a 202 would have everybody wait."""
    request = await waiting(fleet)
    died = "state = 'requested', decided_at = now(), decided_by = requested_by, next_look_at = now()"
    await fleet.rows(f"UPDATE order_requests SET {died} RETURNING id")
    await OrderPlacement(fleet.sessions, fleet.app.state.resources.carrier, give_up=900).poll()
    late = await decide(fleet, request, "approve")
    assert (late.status_code, late.json()["error"]["code"]) == (409, "ORDER_NOT_AWAITING")
    assert late.json()["error"]["details"] == {"state": "failed", "reason": "NEVER_SENT"}
    assert "ordered again" in late.json()["error"]["message"]
    assert (await order(fleet, key="one")).json()["id"] != request["id"], "the buyer can"
    assert await lines(fleet) == 0
