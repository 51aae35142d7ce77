"""Budgets: what purchases cost or may yet cost never exceeds what is granted for the month."""

import asyncio
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any, Self
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import text

from fleet_kit.testing import eventually
from sim_service.billing.budgets import service as budgets
from sim_service.billing.budgets.repository import PURCHASE_TABLES
from sim_service.billing.budgets.service import BudgetService
from sim_service.billing.orders.models import OrderRequest
from sim_service.billing.purchases.models import Purchase
from sim_service.billing.topups.matching import apply_order
from sim_service.billing.topups.models import TopUp
from sim_service.carrier.models import CarrierOrder, OrderKind, OrderState
from sim_service.grants.models import Switch

from ..billing.policy_support import decided, evaluate, leave, policy_of
from ..billing_support import carrier_ledger, inject_fault, pass_time, poll_top_ups, sandbox_control, top_up
from ..bulk.bulk_support import PAID, bulk, items, run
from ..support import Fleet

BOOKED = """
INSERT INTO order_requests (id, organization_id, products, lines, customer_reference, requested_by, state,
                            looks, next_look_at, amount, currency)
VALUES (gen_random_uuid(), :owner, '[]', '1001x3', '', :owner, 'requested', 0, now() + interval '1 hour',
        35.70, 'EUR')
"""


async def order(fleet: Fleet, quantity: int, product: int = 1001) -> httpx.Response:
    headers = {"Idempotency-Key": str(uuid4())}
    body = {"products": [{"product_id": product, "quantity": quantity}]}
    return await fleet.ours.admin.post("/orders", json=body, headers=headers)


async def budget(fleet: Fleet) -> dict[str, Any]:
    found: dict[str, Any] = (await fleet.ours.admin.get(f"/sim/grants/{fleet.ours.id}/budget")).json()
    return found


async def lines(fleet: Fleet) -> int:
    return len((await carrier_ledger(fleet))["lines"])


def test_every_table_of_purchases_counts() -> None:
    assert {model.__dict__["__tablename__"] for model in Purchase.__subclasses__()} == set(PURCHASE_TABLES)


def test_an_order_that_is_not_invoiced_yet_keeps_the_expected_price() -> None:
    """Else it would cost the budget nothing, and the next top-up would be expected to be free."""
    now = datetime.now(UTC)
    shown = CarrierOrder("1", OrderKind.TOPUP, OrderState.CREATED, now, Decimal(0), "EUR", iccids=("1",))
    request = OrderRequest(amount=Decimal("35.70"), currency="EUR")
    request.update_from_order(shown)
    top_up = TopUp(amount=Decimal("11.90"), currency="EUR", estimated=True)
    apply_order(top_up, shown)
    assert (request.amount, top_up.amount, top_up.estimated) == (Decimal("35.70"), Decimal("11.90"), True)


async def test_orders_within_the_budget_are_placed_and_the_next_one_is_not(fleet: Fleet) -> None:
    await fleet.grant(fleet.ours, budget_per_month="40")
    assert (await order(fleet, 3)).json()["amount"] == "35.70", "with tax"
    assert await budget(fleet) | {"month": ""} == {
        "organization_id": str(fleet.ours.id),
        "month": "",
        "budget_per_month": "40.00",
        "currency": "EUR",
        "spent": {"EUR": "35.70"},
        "remaining": "4.30",
        "sms_per_month": 1_000_000,
        "sms_used": 0,
    }
    refused = await order(fleet, 1)
    assert refused.status_code == 409
    assert refused.json()["error"]["code"] == "BUDGET_EXCEEDED"
    assert refused.json()["error"]["details"] == {
        "amount": "11.90",
        "currency": "EUR",
        "budget": "40.00",
        "budget_currency": "EUR",
        "remaining": "4.30",
    }
    assert await lines(fleet) == 1


async def test_purchases_at_once_do_not_exceed_the_budget(fleet: Fleet) -> None:
    """Orders, top-ups and extensions share it, each in a transaction of its own."""
    iccids = await fleet.owned_sims(6)
    await fleet.grant(fleet.ours, budget_per_month="47.60")  # four times 11.90
    answers = await asyncio.gather(
        *(order(fleet, 1, product) for product in (1001, 1002, 1003)),
        *(top_up(fleet, iccid) for iccid in iccids[:3]),
        *(fleet.ours.operator.post(f"/sims/{iccid}/extend") for iccid in iccids[3:]),
    )
    codes = [answer.status_code for answer in answers]
    assert set(codes) == {202, 409}
    refused = [answer.json()["error"]["code"] for answer in answers if answer.status_code == 409]
    assert set(refused) == {"BUDGET_EXCEEDED"}
    spent = Decimal((await carrier_ledger(fleet))["gross_cents"]) / 100
    assert Decimal("35") < spent <= Decimal("47.60")
    assert Decimal((await budget(fleet))["spent"]["EUR"]) == spent


async def test_who_comes_second_waits_and_sees_what_the_first_has_booked(fleet: Fleet) -> None:
    """Two transactions that are open at the same time, each with money for itself alone."""
    await fleet.grant(fleet.ours, budget_per_month="36")
    await fleet.ours.viewer.get("/products")
    async with fleet.sessions.begin() as session:
        allowance = await BudgetService(session).reserve(fleet.ours.id)
        allowance.take(Switch.ORDERS, Decimal("35.70"), "EUR")
        second = asyncio.create_task(order(fleet, 2))

        async def second_waits() -> bool:
            waiting = "wait_event_type = 'Lock' AND datname = current_database() AND query LIKE '%grants%'"
            return second.done() or bool(await fleet.rows(f"SELECT 1 FROM pg_stat_activity WHERE {waiting}"))

        await eventually(second_waits)
        await session.execute(text(BOOKED), {"owner": fleet.ours.id})
    refused = await second
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "BUDGET_EXCEEDED"), refused.text
    assert await lines(fleet) == 0


async def test_two_equal_orders_at_once_with_money_for_one(fleet: Fleet) -> None:
    await fleet.grant(fleet.ours, budget_per_month="36")
    answers = await asyncio.gather(order(fleet, 3), order(fleet, 2), order(fleet, 3), order(fleet, 2))
    assert sorted(answer.status_code for answer in answers) == [202, 409, 409, 409]
    assert await lines(fleet) == 1


async def test_what_the_carrier_refused_is_given_back(fleet: Fleet) -> None:
    await fleet.grant(fleet.ours, budget_per_month="40")
    inject_fault(fleet, "status", path="/v1/orders", method="POST", status=400, body="{}")
    assert (await order(fleet, 3)).status_code == 409
    assert (await budget(fleet))["spent"] == {}
    assert (await order(fleet, 3)).status_code == 202


async def test_a_lost_answer_holds_its_money_until_it_is_settled(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    await fleet.grant(fleet.ours, budget_per_month="12")
    inject_fault(fleet, "drop", when="before")
    assert (await top_up(fleet, iccid)).json()["state"] == "unknown"
    assert (await budget(fleet))["remaining"] == "0.10"
    assert (await order(fleet, 1)).json()["error"]["code"] == "BUDGET_EXCEEDED"
    await poll_top_ups(fleet, give_up=0)
    assert (await budget(fleet))["remaining"] == "12.00"
    assert (await order(fleet, 1)).status_code == 202


async def test_a_cancelled_order_gives_its_money_back(fleet: Fleet) -> None:
    await fleet.grant(fleet.ours, budget_per_month="40")
    request = (await order(fleet, 3)).json()
    await sandbox_control(fleet, "POST", f"/orders/{request['order_number']}/refuse")
    await fleet.ours.operator.post("/orders/sync")
    while await fleet.runner().once():
        pass
    found = (await fleet.ours.viewer.get(f"/orders/requests/{request['id']}")).json()
    assert (found["state"], found["reason"]) == ("failed", "CARRIER_ORDER_CANCELLED")
    assert (await budget(fleet))["spent"] == {}


async def test_last_months_purchases_do_not_count(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    await fleet.grant(fleet.ours, budget_per_month="50")
    await order(fleet, 3)
    await top_up(fleet, iccid)
    await pass_time(fleet, 3)
    await poll_top_ups(fleet, times=2)
    assert (await budget(fleet))["remaining"] == "2.40"
    await fleet.rows("UPDATE order_requests SET counted_at = now() - interval '32 days' RETURNING id")
    assert (await budget(fleet))["remaining"] == "38.10"
    await fleet.rows("UPDATE top_ups SET created_at = now() - interval '32 days' RETURNING id")
    assert (await budget(fleet))["remaining"] == "50.00"


async def test_a_purchase_that_waited_past_the_months_end_counts_where_it_was_weighed(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Begun before midnight, weighed after it: else each of them is weighed against an empty month."""
    waits = await fleet.owned_sims(2)
    approval = {"order_approval_above": "30"}
    await fleet.grant(fleet.ours, budget_per_month="40", **approval)
    waiting = (await order(fleet, 3)).json()
    after_midnight = (datetime.now(UTC).replace(day=1) + timedelta(days=32)).replace(day=1)

    class AfterMidnight(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return cls.fromtimestamp(after_midnight.timestamp(), UTC)

    monkeypatch.setattr(budgets, "datetime", AfterMidnight)
    assert (await order(fleet, 2)).status_code == 202
    assert (await order(fleet, 2, 1002)).json()["error"]["code"] == "BUDGET_EXCEEDED"
    assert (await top_up(fleet, waits[0])).status_code == 202
    assert (await top_up(fleet, waits[1])).json()["error"]["code"] == "BUDGET_EXCEEDED"
    await fleet.grant(fleet.ours, budget_per_month="75", **approval)
    path = f"/orders/requests/{waiting['id']}/approve"
    assert (await fleet.platform.post(path)).status_code == 202
    assert await budget(fleet) | {"organization_id": "", "spent": {}} == {
        "organization_id": "",
        "month": f"{after_midnight:%Y-%m}",
        "budget_per_month": "75.00",
        "currency": "EUR",
        "spent": {},
        "remaining": "3.60",
        "sms_per_month": 1_000_000,
        "sms_used": 0,
    }


async def test_others_spend_their_own_budget(fleet: Fleet) -> None:
    await fleet.grant(fleet.ours, budget_per_month="40")
    await fleet.grant(fleet.theirs, budget_per_month="40")
    assert (await order(fleet, 3)).status_code == 202
    theirs = (await fleet.platform.get(f"/sim/grants/{fleet.theirs.id}/budget")).json()
    assert theirs["remaining"] == "40.00"


async def test_an_extension_costs_what_its_product_costs(fleet: Fleet) -> None:
    """A dear product is not weighed at the price of a cheap one."""
    (iccid,) = await fleet.owned_sims(1)
    await fleet.grant(fleet.ours, budget_per_month="15")
    dear = await fleet.ours.operator.post(f"/sims/{iccid}/extend", json={"product_id": 1010})
    assert (dear.status_code, dear.json()["error"]["code"]) == (409, "BUDGET_EXCEEDED")
    assert dear.json()["error"]["details"]["amount"] == "119.00"
    unknown = await fleet.ours.operator.post(f"/sims/{iccid}/extend", json={"product_id": 4711})
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (422, "PRODUCT_NOT_FOUND")
    assert await lines(fleet) == 0


async def test_a_product_without_a_price_is_not_bought(fleet: Fleet) -> None:
    await fleet.ours.viewer.get("/products")
    await fleet.rows("UPDATE products SET price = NULL WHERE id = 1001 RETURNING id")
    answer = await order(fleet, 1)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "PRICE_UNKNOWN")
    assert await lines(fleet) == 0


@pytest.mark.parametrize("spent_before", [False, True])
async def test_another_currency_is_no_way_around_the_budget(fleet: Fleet, spent_before: bool) -> None:
    if spent_before:
        await order(fleet, 1)
    await fleet.grant(fleet.ours, budget_per_month="1000", currency="USD")
    answer = await order(fleet, 2)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "BUDGET_EXCEEDED")
    assert (await budget(fleet))["remaining"] == ("0.00" if spent_before else "1000.00")


async def test_a_bulk_action_buys_as_far_as_the_money_goes(fleet: Fleet) -> None:
    iccids = await fleet.owned_sims(5)
    await fleet.grant(fleet.ours, budget_per_month="36")
    job = await bulk(fleet, "top_up", iccids, params=PAID)
    await run(fleet)
    ends = [(item["state"], item["error_code"]) for item in await items(fleet, job)]
    assert ends == [("succeeded", None)] * 3 + [("failed", "BUDGET_EXCEEDED")] * 2
    assert sum((await carrier_ledger(fleet))["topups_by_iccid"].values()) == 3


async def test_a_policy_buys_as_far_as_the_granted_money_goes(fleet: Fleet) -> None:
    first, second, third = await fleet.owned_sims(3)
    leave(fleet, 0.01, 0)
    leave(fleet, 0.02, 1)
    leave(fleet, 0.03, 2)
    await fleet.grant(fleet.ours, budget_per_month="24")
    policy = await policy_of(fleet)
    assert await evaluate(fleet, policy) == {"topped_up": 2, "skipped": 1}
    assert await decided(fleet, policy) == {
        (first, "topped_up", "remaining"),
        (second, "topped_up", "remaining"),
        (third, "skipped", "granted_budget"),
    }
    assert sum((await carrier_ledger(fleet))["topups_by_iccid"].values()) == 2


async def test_two_policies_and_an_order_at_once_share_one_budget(fleet: Fleet) -> None:
    await fleet.owned_sims(4)
    leave(fleet, 0.01, 0, 1, 2, 3)
    await fleet.grant(fleet.ours, budget_per_month="25")
    for name in ("one", "two"):
        policy = await policy_of(fleet, name=name)
        assert (await fleet.ours.operator.post(f"/topup-policies/{policy['id']}/evaluate")).status_code == 202

    async def work() -> None:
        while await fleet.runner().once():
            pass

    await asyncio.gather(work(), work(), order(fleet, 1), order(fleet, 2))
    spent = Decimal((await carrier_ledger(fleet))["gross_cents"]) / 100
    assert Decimal(0) < spent <= Decimal(25)
