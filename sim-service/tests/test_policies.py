"""Top-up policies: they buy in time, never too much, and say why."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import text

from fleet_kit.scope import EVERYTHING
from sim_service.carrier.facts import QuotaKind
from sim_service.jobs.models import JobKind
from sim_service.policies import evaluation
from sim_service.policies.models import Policy
from sim_service.policies.repository import PolicyRepository
from sim_service.quotas.repository import QuotaRepository
from sim_service.topups.repository import TopUpRepository
from sim_service.worker import evaluator

from .money_support import DAY, agree, look, ours, pass_time, spoil, theirs
from .support import Fleet
from .test_forecast import used_before


async def policy_of(fleet: Fleet, **fields: Any) -> dict[str, Any]:
    """A policy that buys below 20 %, once a month and for at most 100 euros."""
    body = {
        "name": "keep them going",
        "trigger": {"remaining_below_percent": 20},
        "budget_per_month": "100",
        "payment_method": "credit_card",
    } | fields
    answer = await fleet.ours.operator.post("/topup-policies", json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def evaluate(fleet: Fleet, policy: dict[str, Any]) -> dict[str, int]:
    """Evaluate the policy; how often each decision was made."""
    asked = await fleet.ours.operator.post(f"/topup-policies/{policy['id']}/evaluate")
    assert asked.status_code == 202, asked.text
    return await worked(fleet, asked)


async def worked(fleet: Fleet, asked: httpx.Response) -> dict[str, int]:
    """Let the worker do the job whose address the answer carries."""
    while await fleet.runner().once():
        pass
    path = asked.headers["location"].removeprefix("/api/v1")
    job = (await fleet.ours.operator.get(path)).json()
    assert job["state"] == "succeeded", job
    counts: dict[str, int] = job["result"]
    return counts


async def decided(fleet: Fleet, policy: dict[str, Any]) -> set[tuple[str, str, str]]:
    page = await fleet.ours.viewer.get(f"/topup-policies/{policy['id']}/decisions?page_size=200")
    return {(row["iccid"], row["decision"], row["reason"]) for row in page.json()["items"]}


def leave(fleet: Fleet, share: float, *indexes: int) -> None:
    """So much of these SIMs' data is left."""
    for index in indexes:
        quota = fleet.sandbox.sims()[index].data
        quota.used = int(quota.granted * (1 - share))


async def a_day_later(fleet: Fleet) -> None:
    """The quotas that are known are old by now."""
    await fleet.rows("UPDATE sim_quotas SET fetched_at = now() - interval '25 hours' RETURNING iccid")


async def settled(fleet: Fleet) -> None:
    await pass_time(fleet, 3)
    await look(fleet, times=2)


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
    assert await agree(fleet) == {first: 1, second: 1}
    assert {event["data"]["iccid"] for event in await fleet.events("sim.topped_up")} == {first, second}
    assert await decided(fleet, policy) == {
        (first, "topped_up", "remaining"),
        (second, "topped_up", "remaining"),
        (first, "skipped", "in_progress"),
        (second, "skipped", "in_progress"),
    }
    assert {row["policy_id"] for row in await ours(fleet)} == {policy["id"]}
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
    assert await agree(fleet) == {first: 1}
    assert second


async def test_a_month_s_limit_and_the_budget_end_it(fleet: Fleet) -> None:
    iccids = await fleet.owned_sims(4)
    leave(fleet, 0.1, 0, 1, 2, 3)
    policy = await policy_of(fleet, budget_per_month="24.00")
    assert await evaluate(fleet, policy) == {"topped_up": 2, "skipped": 2}
    await settled(fleet)
    bought = set(await agree(fleet))
    leave(fleet, 0.01, 0, 1, 2, 3)
    await a_day_later(fleet)
    assert await evaluate(fleet, policy) == {"skipped": 4}
    reasons = {
        (iccid, reason) for iccid, decision, reason in await decided(fleet, policy) if decision == "skipped"
    }
    assert {(iccid, "budget") for iccid in set(iccids) - bought} <= reasons
    assert {(iccid, "monthly_limit") for iccid in bought} <= reasons
    assert (await theirs(fleet))["gross_cents"] == 2380
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
    assert sum(tally.counts.get("topped_up", 0) for tally in tallies) == 3
    await settled(fleet)
    ledger = await theirs(fleet)
    assert ledger["gross_cents"] <= 3600
    assert set((await agree(fleet)).values()) == {1}


async def test_a_dry_run_only_says_what_it_would_do(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    leave(fleet, 0.1, 0)
    policy = await policy_of(fleet, dry_run=True, approval_above_sims=0)
    for _ in range(3):
        assert await evaluate(fleet, policy) == {"would_top_up": 1}
    (row,) = (await fleet.ours.viewer.get(f"/topup-policies/{policy['id']}/decisions")).json()["items"]
    assert (row["iccid"], row["decision"], row["times"]) == (iccid, "would_top_up", 3)
    assert row["facts"]["price"] == "11.90 EUR"
    assert await ours(fleet) == []
    assert await agree(fleet) == {}


async def test_more_than_a_few_sims_wait_for_an_admin(fleet: Fleet) -> None:
    iccids = await fleet.owned_sims(3)
    leave(fleet, 0.1, 0, 1, 2)
    policy = await policy_of(fleet, approval_above_sims=2)
    assert await evaluate(fleet, policy) == {"proposed": 3}
    assert await evaluate(fleet, policy) == {"skipped": 3}
    path = f"/topup-policies/{policy['id']}/proposals"
    (proposal,) = (await fleet.ours.viewer.get(f"{path}?state=pending")).json()["items"]
    assert (sorted(proposal["iccids"]), proposal["amount"]) == (iccids, "35.70")
    assert await agree(fleet) == {}
    assert (await fleet.ours.operator.post(f"{path}/{proposal['id']}/approve")).status_code == 403
    assert (await fleet.theirs.admin.post(f"{path}/{proposal['id']}/approve")).status_code == 404
    leave(fleet, 0.8, 2)
    approved = await fleet.ours.admin.post(f"{path}/{proposal['id']}/approve")
    assert (approved.status_code, approved.json()["state"]) == (202, "approved")
    assert await worked(fleet, approved) == {"topped_up": 2}
    again = await fleet.ours.admin.post(f"{path}/{proposal['id']}/approve")
    assert (again.status_code, again.json()["error"]["code"]) == (409, "PROPOSAL_DECIDED")
    await settled(fleet)
    assert await agree(fleet) == dict.fromkeys(iccids[:2], 1), "the third needs none any more"


async def test_what_was_rejected_is_not_bought(fleet: Fleet) -> None:
    await fleet.owned_sims(2)
    leave(fleet, 0.1, 0, 1)
    policy = await policy_of(fleet, approval_above_sims=1)
    await evaluate(fleet, policy)
    path = f"/topup-policies/{policy['id']}/proposals"
    (proposal,) = (await fleet.ours.viewer.get(path)).json()["items"]
    rejected = await fleet.ours.admin.post(f"{path}/{proposal['id']}/reject")
    assert rejected.json()["state"] == "rejected"
    assert await agree(fleet) == {}
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
    assert await agree(fleet) == {second: 1}


async def test_a_policy_that_is_switched_off_buys_nothing_more(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fleet.owned_sims(2)
    leave(fleet, 0.1, 0, 1)
    monkeypatch.setattr(evaluation, "MOST_TOGETHER", 1)
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
        assert len(await agree(fleet)) == bought, f"while the carrier is asked: {during}"


async def test_nothing_is_bought_by_old_facts(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    leave(fleet, 0.1, 0)
    policy = await policy_of(fleet)
    assert await evaluate(fleet, policy | {}) == {"topped_up": 1}
    await settled(fleet)
    await fleet.rows("UPDATE sim_quotas SET remaining = 1 WHERE kind = 'data' RETURNING iccid")
    await fleet.ours.operator.patch(f"/topup-policies/{policy['id']}", json={"max_per_sim_per_month": 9})
    assert await evaluate(fleet, policy) == {}, "the carrier says that there is enough"
    assert await agree(fleet) == {iccid: 1}


async def test_expired_and_unknown_sims_are_passed_over(fleet: Fleet) -> None:
    first, second, third = await fleet.owned_sims(3)
    leave(fleet, 0.1, 0, 1, 2)
    fleet.sandbox.sims()[0].data.expires_at = fleet.sandbox.sandbox.world.clock.now() - DAY
    del fleet.sandbox.sandbox.world.sims.by_iccid[second]
    policy = await policy_of(fleet)
    assert await evaluate(fleet, policy) == {"skipped": 2, "topped_up": 1}
    assert await decided(fleet, policy) == {
        (first, "skipped", "sim_expired"),
        (second, "skipped", "sim_unknown"),
        (third, "topped_up", "remaining"),
    }


async def test_sims_whose_quota_is_not_told_are_passed_over_whatever_was_known(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    forbidden, unreadable, released, unknown, good = await fleet.owned_sims(5)
    leave(fleet, 0.1, *range(5))
    policy = await policy_of(fleet, dry_run=True)
    assert await evaluate(fleet, policy) == {"would_top_up": 5}
    await fleet.ours.operator.patch(f"/topup-policies/{policy['id']}", json={"dry_run": False})
    await a_day_later(fleet)
    spoil(fleet, "status", f"/v?/sims/{forbidden}/quota/*", status=403, count=None)
    spoil(fleet, "not_json", f"/v?/sims/{unreadable}/quota/*", count=9)
    del fleet.sandbox.sandbox.world.sims.by_iccid[unknown]
    carrier, asked = fleet.app.state.resources.carrier, fleet.app.state.resources.carrier.quota

    async def released_meanwhile(iccid: str, *values: Any, **named: Any) -> Any:
        if iccid == released:
            await fleet.ours.admin.delete(f"/sims/{iccid}/claim")
        return await asked(iccid, *values, **named)

    monkeypatch.setattr(carrier, "quota", released_meanwhile)
    assert await evaluate(fleet, policy) == {"skipped": 4, "topped_up": 1}
    assert await agree(fleet) == {good: 1}
    assert {row for row in await decided(fleet, policy) if row[1] != "would_top_up"} == {
        (forbidden, "skipped", "quota_unknown"),
        (unreadable, "skipped", "quota_unknown"),
        (released, "skipped", "quota_unknown"),
        (unknown, "skipped", "sim_unknown"),
        (good, "topped_up", "remaining"),
    }


async def test_one_policy_that_fails_does_not_stop_the_others(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = await fleet.owned_sims(2)
    leave(fleet, 0.1, 0, 1)
    bad, _ = [await policy_of(fleet, selector={"by": "iccids", "iccids": [one]}) for one in (first, second)]
    triggered = PolicyRepository.triggered

    async def refused(self: PolicyRepository, policy: Policy, today: date) -> Sequence[str]:
        if str(policy.id) == bad["id"]:
            await self._session.execute(text("SELECT 1 / 0"))
        return await triggered(self, policy, today)

    monkeypatch.setattr(PolicyRepository, "triggered", refused)
    await fleet.request(JobKind.APPLY_POLICIES)
    assert await fleet.runner().once()
    (job,) = (await fleet.platform.get("/jobs?kind=apply_policies")).json()["items"]
    assert (job["state"], job["result"]) == ("succeeded", {"failed": 1, "topped_up": 1})
    assert await agree(fleet) == {second: 1}


async def test_a_policy_may_be_for_any_number_of_sims(fleet: Fleet) -> None:
    iccids = [str(number) for number in range(40_000)]
    async with fleet.sessions() as session:
        ledger = TopUpRepository(session, EVERYTHING)
        assert await ledger.pending(iccids) == []
        assert await ledger.counts(uuid4(), iccids, datetime.now(UTC)) == {}
        assert await QuotaRepository(session, EVERYTHING).kept(iccids, QuotaKind.DATA) == []


async def test_a_lost_answer_counts_against_the_budget_until_it_is_settled(fleet: Fleet) -> None:
    first, second = await fleet.owned_sims(2)
    leave(fleet, 0.1, 0)
    policy = await policy_of(fleet, budget_per_month="12.00")
    spoil(fleet, "drop", when="after")
    await evaluate(fleet, policy)
    assert {row["state"] for row in await ours(fleet)} == {"unknown"}
    leave(fleet, 0.1, 1)
    await a_day_later(fleet)
    assert await evaluate(fleet, policy) == {"skipped": 2}
    await settled(fleet)
    assert await agree(fleet) == {first: 1}
    assert (second, "skipped", "budget") in await decided(fleet, policy)


async def test_policies_are_kept_by_their_organisation(fleet: Fleet) -> None:
    policy = await policy_of(fleet, approval_above_sims=5)
    path = f"/topup-policies/{policy['id']}"
    assert (await fleet.theirs.admin.get(path)).status_code == 404
    assert (await fleet.theirs.admin.delete(path)).status_code == 404
    assert (await fleet.ours.viewer.patch(path, json={"enabled": False})).status_code == 403
    changed = await fleet.ours.operator.patch(path, json={"enabled": False, "approval_above_sims": None})
    assert (changed.json()["enabled"], changed.json()["approval_above_sims"]) == (False, None)
    assert changed.json()["trigger"] == policy["trigger"]
    refused = await fleet.ours.operator.post(f"{path}/evaluate")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "POLICY_DISABLED")
    assert (await fleet.ours.viewer.get("/topup-policies")).json()["total"] == 1
    assert (await fleet.theirs.viewer.get("/topup-policies")).json()["items"] == []
    assert (await fleet.ours.operator.delete(path)).status_code == 204
    assert (await fleet.ours.operator.delete(path)).status_code == 404
    assert (await fleet.ours.viewer.get("/topup-policies")).json()["total"] == 0


async def test_what_a_deleted_policy_decided_can_still_be_read(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    leave(fleet, 0.1, 0)
    policy = await policy_of(fleet)
    await evaluate(fleet, policy)
    path = f"/topup-policies/{policy['id']}"
    assert (await fleet.ours.operator.delete(path)).status_code == 204
    gone = (await fleet.ours.viewer.get(path)).json()
    assert (gone["enabled"], gone["deleted_at"] is None) == (False, False)
    assert await decided(fleet, policy) == {(iccid, "topped_up", "remaining")}
    assert (await fleet.ours.viewer.get(f"{path}/proposals")).json()["items"] == []
    assert (await fleet.ours.operator.patch(path, json={"enabled": True})).status_code == 404
    assert (await fleet.ours.operator.post(f"{path}/evaluate")).status_code == 404
    for below in ("", "/decisions", "/proposals"):
        assert (await fleet.theirs.admin.get(path + below)).status_code == 404


async def test_a_policy_names_only_sims_of_its_organisation(fleet: Fleet) -> None:
    first, second = await fleet.owned_sims(2)
    other = fleet.sandbox.sims()[5].iccid
    await fleet.claim(other, by=fleet.theirs)
    body = {"name": "x", "trigger": {"remaining_below_percent": 3}, "budget_per_month": "10"}
    theirs = {"selector": {"by": "iccids", "iccids": [first, other]}}
    refused = await fleet.ours.operator.post("/topup-policies", json=body | theirs)
    assert refused.status_code == 404
    assert refused.json()["error"]["details"]["iccids"] == [other]
    policy = await policy_of(fleet, selector={"by": "iccids", "iccids": [first]})
    path = f"/topup-policies/{policy['id']}"
    assert (await fleet.ours.operator.patch(path, json=theirs)).status_code == 404
    ours = {"selector": {"by": "iccids", "iccids": [first, second]}}
    assert (await fleet.ours.operator.patch(path, json=ours)).json()["selector"]["iccids"] == [first, second]


async def test_a_policy_that_makes_no_sense_is_refused(fleet: Fleet) -> None:
    good = {"name": "x", "trigger": {"forecast_below_days": 3}, "budget_per_month": "10"}
    refused: list[dict[str, Any]] = [
        {"trigger": {}},
        {"budget_per_month": "0"},
        {"budget_per_month": "1.001"},
        {"selector": {"by": "tags"}},
        {"selector": {"by": "all", "iccids": ["8988280666000000000"]}},
        {"selector": {"by": "iccids", "iccids": ["123"]}},
        {"max_per_sim_per_month": 0},
        {"payment_method": "barter"},
        {"colour": "red"},
        {"name": ""},
    ]
    for wrong in refused:
        answer = await fleet.ours.operator.post("/topup-policies", json=good | wrong)
        assert answer.status_code == 422, (wrong, answer.text)
    assert (await fleet.ours.viewer.post("/topup-policies", json=good)).status_code == 403
    key = {"Idempotency-Key": "same"}
    made = [await fleet.ours.operator.post("/topup-policies", json=good, headers=key) for _ in range(2)]
    assert len({answer.json()["id"] for answer in made}) == 1
