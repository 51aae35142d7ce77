"""Top-up policies: what keeps one from buying, and whose it is."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from fleet_kit.scope import EVERYTHING
from sim_service.billing.budgets.service import Allowance, BudgetService
from sim_service.billing.policies import evaluation
from sim_service.billing.policies.models import Policy
from sim_service.billing.policies.repository import PolicyRepository
from sim_service.billing.topups.queries import bought_in_month
from sim_service.billing.topups.repository import TopUpRepository
from sim_service.carrier.models import QuotaKind
from sim_service.usage.quotas.repository import QuotaRepository
from sim_service.work.jobs.models import JobKind

from ..billing_support import (
    DAY,
    agreed_ledgers,
    inject_fault,
    our_ledger,
    top_up,
)
from ..support import Fleet
from .policy_support import a_day_later, decided, evaluate, leave, policy_of, settled


async def test_nothing_is_bought_by_old_facts(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    leave(fleet, 0.1, 0)
    policy = await policy_of(fleet)
    assert await evaluate(fleet, policy | {}) == {"topped_up": 1}
    await settled(fleet)
    await fleet.rows("UPDATE sim_quotas SET remaining = 1 WHERE kind = 'data' RETURNING iccid")
    await fleet.ours.operator.patch(f"/topup-policies/{policy['id']}", json={"max_per_sim_per_month": 9})
    assert await evaluate(fleet, policy) == {}, "the carrier says that there is enough"
    assert await agreed_ledgers(fleet) == {iccid: 1}


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


class InAnotherMonth(BudgetService):
    """Weighs the round before the ledger does, when more was left."""

    async def reserve(self, organization_id: UUID, *, without: UUID | None = None) -> Allowance:
        found = await super().reserve(organization_id, without=without)
        return replace(found, spent={"EUR": Decimal(-100)})


@pytest.mark.parametrize("refusal", ["in_progress", "granted_budget"])
async def test_what_the_ledger_refuses_is_noted(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch, refusal: str
) -> None:
    """Whatever the policy missed: nobody should look for a top-up of which nothing says why it is none."""
    first, second = await fleet.owned_sims(2)
    leave(fleet, 0.1, 0, 1)
    if refusal == "in_progress":
        assert (await top_up(fleet, second)).status_code == 202

        async def none_open(*_: Any) -> set[str]:
            return set()

        monkeypatch.setattr(evaluation, "with_open_purchase", none_open)
    else:
        await fleet.grant(fleet.ours, budget_per_month="12")
        monkeypatch.setattr(evaluation, "BudgetService", InAnotherMonth)
    policy = await policy_of(fleet)
    assert await evaluate(fleet, policy) == {"topped_up": 1, "skipped": 1}
    found = await decided(fleet, policy)
    assert {(decision, reason) for _, decision, reason in found} == {
        ("topped_up", "remaining"),
        ("skipped", refusal),
    }
    assert {iccid for iccid, _, _ in found} == {first, second}


async def test_sims_whose_quota_is_not_told_are_passed_over_whatever_was_known(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    forbidden, unreadable, released, unknown, good = await fleet.owned_sims(5)
    leave(fleet, 0.1, *range(5))
    policy = await policy_of(fleet, dry_run=True)
    assert await evaluate(fleet, policy) == {"would_top_up": 5}
    await fleet.ours.operator.patch(f"/topup-policies/{policy['id']}", json={"dry_run": False})
    await a_day_later(fleet)
    inject_fault(fleet, "status", f"/v?/sims/{forbidden}/quota/*", status=403, count=None)
    inject_fault(fleet, "not_json", f"/v?/sims/{unreadable}/quota/*", count=9)
    del fleet.sandbox.sandbox.world.sims.by_iccid[unknown]
    carrier, asked = fleet.app.state.resources.carrier, fleet.app.state.resources.carrier.quota

    async def released_meanwhile(iccid: str, *values: Any, **named: Any) -> Any:
        if iccid == released:
            await fleet.ours.admin.delete(f"/sims/{iccid}/claim")
        return await asked(iccid, *values, **named)

    monkeypatch.setattr(carrier, "quota", released_meanwhile)
    assert await evaluate(fleet, policy) == {"skipped": 4, "topped_up": 1}
    assert await agreed_ledgers(fleet) == {good: 1}
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
    assert await agreed_ledgers(fleet) == {second: 1}


async def test_a_policy_may_be_for_any_number_of_sims(fleet: Fleet) -> None:
    iccids = [str(number) for number in range(40_000)]
    async with fleet.sessions() as session:
        ledger = TopUpRepository(session, EVERYTHING)
        assert await ledger.pending(iccids) == []
        assert await bought_in_month(session, uuid4(), iccids, datetime.now(UTC)) == {}
        assert await QuotaRepository(session, EVERYTHING).find_many(iccids, QuotaKind.DATA) == []


async def test_a_lost_answer_counts_against_the_budget_until_it_is_settled(fleet: Fleet) -> None:
    first, second = await fleet.owned_sims(2)
    leave(fleet, 0.1, 0)
    policy = await policy_of(fleet, budget_per_month="12.00")
    inject_fault(fleet, "drop", when="after")
    await evaluate(fleet, policy)
    assert {row["state"] for row in await our_ledger(fleet)} == {"unknown"}
    leave(fleet, 0.1, 1)
    await a_day_later(fleet)
    assert await evaluate(fleet, policy) == {"skipped": 2}
    await settled(fleet)
    assert await agreed_ledgers(fleet) == {first: 1}
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
