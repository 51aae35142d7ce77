"""The service while the sandbox misbehaves, fault by fault and mixed."""

from typing import Any

import pytest

from once_sandbox.faults.schemas import FaultRule
from sim_service.carrier.errors import CARRIER_UNAVAILABLE_ERRORS

from .support import Fleet

KINDS: dict[str, dict[str, Any]] = {
    "html_503": {"kind": "html_503"},
    "500": {"kind": "status", "status": 500},
    "502": {"kind": "status", "status": 502},
    "429": {"kind": "rate_limited", "headers": {"Retry-After": "0"}},
    "429 without advice": {"kind": "rate_limited"},
    "drop": {"kind": "drop"},
    "drop after": {"kind": "drop", "when": "after"},
    "truncate": {"kind": "truncate"},
    "expired token": {"kind": "expired_token"},
    "empty 200": {"kind": "empty_200"},
    "no json": {"kind": "not_json"},
    "delay": {"kind": "delay", "seconds": 0.2},
}


def break_calls(fleet: Fleet, fault: str, **more: Any) -> None:
    fleet.sandbox.sandbox.faults.add(FaultRule(**{"path": "/v?/*", **KINDS[fault], **more}))


async def synced(fleet: Fleet) -> dict[str, Any]:
    """A sync to its end, however often the job has to be taken up again."""
    asked = (await fleet.ours.operator.post("/sims/sync-all")).json()
    runner = fleet.runner()
    for _ in range(40):
        await fleet.rows("UPDATE jobs SET due_at = now() WHERE state = 'queued' RETURNING id")
        await runner.once()
        job: dict[str, Any] = (await fleet.platform.get(f"/jobs/{asked['id']}")).json()
        if job["state"] not in {"queued", "running"}:
            return job
        await fleet.calm_breaker()
    raise AssertionError(job)


async def whole(fleet: Fleet) -> bool:
    rows = await fleet.rows("SELECT iccid, missing_since FROM sims ORDER BY iccid")
    there = [row.iccid for row in rows if row.missing_since is None]
    return there == [sim.iccid for sim in fleet.sandbox.sims()]


@pytest.mark.parametrize("fault", KINDS)
async def test_a_sync_under_one_fault_loses_and_doubles_nothing(fleet: Fleet, fault: str) -> None:
    break_calls(fleet, fault, share=0.4)
    job = await synced(fleet)
    assert (job["state"], job["done"]) == ("succeeded", 250)
    assert await whole(fleet)


async def test_a_second_sync_under_mixed_faults_changes_nothing_that_did_not_change(fleet: Fleet) -> None:
    await fleet.owned_sims(20)
    for fault in KINDS:
        break_calls(fleet, fault, share=0.2 / len(KINDS))
    fleet.sandbox.sims()[3].label = "new name"
    job = await synced(fleet)
    assert (job["state"], job["result"]["updated"], job["result"]["unchanged"]) == ("succeeded", 1, 249)
    assert await whole(fleet)
    assert [event["data"]["label"] for event in await fleet.events("sim.updated")] == ["new name"]


@pytest.mark.parametrize("fault", [fault for fault in KINDS if fault != "delay"])
async def test_people_are_answered_from_what_is_known_under_every_fault(fleet: Fleet, fault: str) -> None:
    (iccid,) = await fleet.owned_sims(1)
    await fleet.ours.viewer.get(f"/sims/{iccid}/quotas")
    await fleet.ours.viewer.get(f"/sims/{iccid}/usage")
    fleet.app.state.settings = fleet.settings.model_copy(
        update={"quota_fresh_seconds": 0, "usage_fresh_seconds": 0}
    )
    break_calls(fleet, fault)
    codes = {error.default_code for error in CARRIER_UNAVAILABLE_ERRORS} | {"SIM_NOT_FOUND"}
    quota = (await fleet.ours.viewer.get(f"/sims/{iccid}/quota/data")).json()
    usage = (await fleet.ours.viewer.get(f"/sims/{iccid}/usage")).json()
    for answer in (quota, usage):
        assert answer["stale"] is True
        assert answer["stale_reason"] in codes
        assert answer["age_seconds"] >= 0
    assert (await fleet.ours.viewer.get(f"/sims/{iccid}")).status_code == 200


async def test_a_negative_quota_is_exhausted(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    fleet.sandbox.sandbox.faults.add(FaultRule(kind="negative_quota", path="/v2/*/quota/data"))
    quota = (await fleet.ours.viewer.get(f"/sims/{iccid}/quota/data")).json()
    assert quota["remaining"] < 0
    assert quota["state"] == "exhausted"
    assert quota["used_percent"] > 100
