"""Top-up policies: they buy in time, never too much, and say why."""

import asyncio
from typing import Any
from uuid import UUID

import pytest

from sim_service.billing.policies import evaluation
from sim_service.worker import evaluator

from ..billing_support import (
    agreed_ledgers,
    carrier_ledger,
    our_ledger,
)
from ..support import Fleet
from ..usage.test_forecast import used_before
from .policy_support import a_day_later, decided, evaluate, leave, policy_of, settled, worked


async def test_a_policy_tops_up_once_what_runs_low_and_says_why(fleet: Fleet) -> None:
    first, second, _ = await fleet.owned_sims(3)
    leave(fleet, 0.9, 0, 1, 2)
    leave(fleet, 0.1, 0)
    leave(fleet, -0.01, 1)
    policy = await policy_of(fleet)
    assert await evaluate(fleet, policy) == {"topped_up": 2}
    assert await evaluate(fleet, policy) == {"skipped": 2}, "ordered, and not booked yet"
    await settled(fleet)
    assert await evaluate(fleet, policy) == {}
    assert await agreed_ledgers(fleet) == {first: 1, second: 1}
    assert {event["data"]["iccid"] for event in await fleet.events("sim.topped_up")} == {first, second}
    assert await decided(fleet, policy) == {
        (first, "topped_up", "remaining"),
        (second, "topped_up", "remaining"),
        (first, "skipped", "in_progress"),
        (second, "skipped", "in_progress"),
    }
    assert {row["policy_id"] for row in await our_ledger(fleet)} == {policy["id"]}
    shown = (await fleet.ours.viewer.get(f"/topup-policies/{policy['id']}")).json()
    assert (shown["spent_this_month"], shown["budget_per_month"]) == ("23.80", "100.00")
    assert shown["evaluated_at"]


async def test_a_policy_tops_up_what_is_foretold_to_run_dry(fleet: Fleet) -> None:
    first, second = await fleet.owned_sims(2)
    await used_before(fleet, 0, [16.0] * 28)
    await used_before(fleet, 1, [2.0] * 28)
    policy = await policy_of(fleet, trigger={"forecast_below_days": 7})
    assert await evaluate(fleet, policy) == {"topped_up": 1}
    assert await decided(fleet, policy) == {(first, "topped_up", "forecast")}
    await settled(fleet)
    assert await agreed_ledgers(fleet) == {first: 1}
    assert second


async def test_a_month_s_limit_and_the_budget_end_it(fleet: Fleet) -> None:
    iccids = await fleet.owned_sims(4)
    leave(fleet, 0.1, 0, 1, 2, 3)
    policy = await policy_of(fleet, budget_per_month="24.00")
    assert await evaluate(fleet, policy) == {"topped_up": 2, "skipped": 2}
    await settled(fleet)
    bought = set(await agreed_ledgers(fleet))
    leave(fleet, 0.01, 0, 1, 2, 3)
    await a_day_later(fleet)
    assert await evaluate(fleet, policy) == {"skipped": 4}
    reasons = {
        (iccid, reason) for iccid, decision, reason in await decided(fleet, policy) if decision == "skipped"
    }
    assert {(iccid, "budget") for iccid in set(iccids) - bought} <= reasons
    assert {(iccid, "monthly_limit") for iccid in bought} <= reasons
    assert (await carrier_ledger(fleet))["gross_cents"] == 2380
    await fleet.ours.operator.patch(
        f"/topup-policies/{policy['id']}", json={"budget_per_month": "36", "max_per_sim_per_month": 2}
    )
    assert await evaluate(fleet, policy) == {"topped_up": 1, "skipped": 3}
    await fleet.rows("UPDATE top_ups SET created_at = created_at - interval '40 days' RETURNING id")
    await settled(fleet)
    assert (await evaluate(fleet, policy))["topped_up"] == 3, "a new month, a new budget"


async def test_evaluations_at_once_share_one_budget(fleet: Fleet) -> None:
    await fleet.owned_sims(6)
    leave(fleet, 0.05, *range(6))
    policy = await policy_of(fleet, budget_per_month="36.00")
    one = evaluator(fleet.settings, fleet.app.state.resources)
    tallies = await asyncio.gather(*(one.evaluate(UUID(policy["id"])) for _ in range(5)))
    assert sum(tally["topped_up"] for tally in tallies) == 3
    await settled(fleet)
    ledger = await carrier_ledger(fleet)
    assert ledger["gross_cents"] <= 3600
    assert set((await agreed_ledgers(fleet)).values()) == {1}


async def test_a_dry_run_only_says_what_it_would_do(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    leave(fleet, 0.1, 0)
    policy = await policy_of(fleet, dry_run=True, approval_above_sims=0)
    for _ in range(3):
        assert await evaluate(fleet, policy) == {"would_top_up": 1}
    (row,) = (await fleet.ours.viewer.get(f"/topup-policies/{policy['id']}/decisions")).json()["items"]
    assert (row["iccid"], row["decision"], row["times"]) == (iccid, "would_top_up", 3)
    assert row["facts"]["price"] == "11.90 EUR"
    assert await our_ledger(fleet) == []
    assert await agreed_ledgers(fleet) == {}


async def test_more_than_a_few_sims_wait_for_an_admin(fleet: Fleet) -> None:
    iccids = await fleet.owned_sims(3)
    leave(fleet, 0.1, 0, 1, 2)
    policy = await policy_of(fleet, approval_above_sims=2)
    assert await evaluate(fleet, policy) == {"proposed": 3}
    assert await evaluate(fleet, policy) == {"skipped": 3}
    path = f"/topup-policies/{policy['id']}/proposals"
    (proposal,) = (await fleet.ours.viewer.get(f"{path}?state=pending")).json()["items"]
    assert (sorted(proposal["iccids"]), proposal["amount"]) == (iccids, "35.70")
    assert await agreed_ledgers(fleet) == {}
    assert (await fleet.ours.operator.post(f"{path}/{proposal['id']}/approve")).status_code == 403
    assert (await fleet.theirs.admin.post(f"{path}/{proposal['id']}/approve")).status_code == 404
    leave(fleet, 0.8, 2)
    approved = await fleet.ours.admin.post(f"{path}/{proposal['id']}/approve")
    assert (approved.status_code, approved.json()["state"]) == (202, "approved")
    assert await worked(fleet, approved) == {"topped_up": 2}
    again = await fleet.ours.admin.post(f"{path}/{proposal['id']}/approve")
    assert (again.status_code, again.json()["error"]["code"]) == (409, "PROPOSAL_DECIDED")
    await settled(fleet)
    assert await agreed_ledgers(fleet) == dict.fromkeys(iccids[:2], 1), "the third needs none any more"


async def test_what_was_rejected_is_not_bought(fleet: Fleet) -> None:
    await fleet.owned_sims(2)
    leave(fleet, 0.1, 0, 1)
    policy = await policy_of(fleet, approval_above_sims=1)
    await evaluate(fleet, policy)
    path = f"/topup-policies/{policy['id']}/proposals"
    (proposal,) = (await fleet.ours.viewer.get(path)).json()["items"]
    rejected = await fleet.ours.admin.post(f"{path}/{proposal['id']}/reject")
    assert rejected.json()["state"] == "rejected"
    assert await agreed_ledgers(fleet) == {}
    assert await evaluate(fleet, policy) == {"proposed": 2}


async def test_the_schedule_evaluates_enabled_policies_of_everybody(fleet: Fleet) -> None:
    first, second = await fleet.owned_sims(2)
    await fleet.rows("UPDATE sims SET tags = '{pumps}' WHERE iccid = :iccid RETURNING iccid", iccid=second)
    leave(fleet, 0.1, 0, 1)
    await policy_of(fleet, enabled=False)
    policy = await policy_of(fleet, selector={"by": "tags", "tags": ["pumps", "valves"]})
    named = await policy_of(fleet, selector={"by": "iccids", "iccids": [first]}, dry_run=True)
    asked = await fleet.platform.post("/jobs", json={"kind": "apply_policies"})
    while await fleet.runner().once():
        pass
    job = (await fleet.platform.get(f"/jobs/{asked.json()['id']}")).json()
    assert (job["state"], job["done"], job["result"]) == ("succeeded", 2, {"topped_up": 1, "would_top_up": 1})
    assert await decided(fleet, policy) == {(second, "topped_up", "remaining")}
    assert await decided(fleet, named) == {(first, "would_top_up", "remaining")}
    assert await agreed_ledgers(fleet) == {second: 1}


async def test_a_policy_that_is_switched_off_buys_nothing_more(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fleet.owned_sims(2)
    leave(fleet, 0.1, 0, 1)
    monkeypatch.setattr(evaluation, "SIMS_PER_STEP", 1)
    policy = await policy_of(fleet)
    path = f"/topup-policies/{policy['id']}"
    asked = await fleet.ours.operator.post(f"{path}/evaluate")

    async def switch(*, enabled: bool) -> None:
        answer = await fleet.ours.operator.patch(path, json={"enabled": enabled})
        assert answer.status_code == 200, answer.text

    await switch(enabled=False)
    assert await worked(fleet, asked) == {}, "while its job waits"
    carrier = fleet.app.state.resources.carrier
    for during, bought in (("quota", 0), ("top_up", 1)):
        await switch(enabled=True)
        real = getattr(carrier, during)

        async def asks(*values: Any, real: Any = real, **named: Any) -> Any:
            await switch(enabled=False)
            return await real(*values, **named)

        monkeypatch.setattr(carrier, during, asks)
        await evaluate(fleet, policy)
        monkeypatch.setattr(carrier, during, real)
        assert len(await agreed_ledgers(fleet)) == bought, f"while the carrier is asked: {during}"
