"""Drift at the carrier, history and rights of actions."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from ..support import Fleet
from .actions_support import at_carrier, change, stands, states


async def drifted(fleet: Fleet, iccid: str) -> None:
    """Somebody disables the SIM in the carrier's portal, after it was wanted enabled."""
    await change(fleet, iccid, 200, status="enabled")
    at_carrier(fleet, iccid).enabled = False
    await fleet.forget_events()
    await fleet.sync()


async def test_drift_is_told_of_and_left_to_people(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    await drifted(fleet, iccid)
    assert await stands(fleet, iccid) == ("enabled", "disabled", "drifted")
    (event,) = await fleet.events("sim.status_changed")
    assert (event["data"]["status"], event["data"]["desired"]) == ("disabled", "enabled")
    await fleet.reconcile()
    await fleet.reconcile()
    assert await states(fleet, iccid) == [("drift", "disabled", "confirmed")]
    assert await stands(fleet, iccid) == ("enabled", "disabled", "drifted")
    at_carrier(fleet, iccid).enabled = True
    await fleet.sync()
    assert await stands(fleet, iccid) == ("enabled", "enabled", "enabled")


async def test_drift_is_set_back_or_adopted_where_the_setting_says_so(fleet: Fleet) -> None:
    first, second = await fleet.owned_sims(2)
    await drifted(fleet, first)
    await fleet.reconcile(drift_policy="correct")
    assert at_carrier(fleet, first).enabled
    assert await stands(fleet, first) == ("enabled", "enabled", "enabled")
    assert await states(fleet, first) == [
        ("drift", "disabled", "confirmed"),
        ("status", "enabled", "confirmed"),
    ]
    await drifted(fleet, second)
    await fleet.reconcile(drift_policy="adopt")
    assert await stands(fleet, second) == ("disabled", "disabled", "disabled")
    assert not at_carrier(fleet, second).enabled


async def test_drift_that_only_an_old_list_showed_is_not_believed(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    await drifted(fleet, iccid)
    at_carrier(fleet, iccid).enabled = True
    await fleet.reconcile(drift_policy="correct")
    assert await states(fleet, iccid) == []
    assert await stands(fleet, iccid) == ("enabled", "enabled", "enabled")


async def test_drift_is_judged_once_the_carrier_is_back(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    await drifted(fleet, iccid)
    fleet.sandbox.broken = 503
    await fleet.reconcile()
    assert await states(fleet, iccid) == []
    fleet.sandbox.broken = None
    await fleet.calm_breaker()
    await fleet.reconcile(due=True)
    assert await states(fleet, iccid) == [("drift", "disabled", "confirmed")]


async def test_a_reconcile_job_tries_everything_now(fleet: Fleet) -> None:
    from sim_service.work.jobs.models import JobKind

    (iccid,) = await fleet.owned_sims(1)
    await change(fleet, iccid, status="disabled")
    await fleet.rows("UPDATE sim_actions SET due_at = now() + interval '1 hour' RETURNING id")
    await fleet.reconcile()
    assert await states(fleet, iccid) == [("status", "disabled", "pending")]
    await fleet.request(JobKind.RECONCILE_ACTIONS)
    await fleet.runner().once()
    assert await states(fleet, iccid) == [("status", "disabled", "confirmed")]


async def test_history_is_paged_and_only_for_its_owner(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    for number in range(5):
        await change(fleet, iccid, label=f"label {number}")
    viewer, path = fleet.ours.viewer, f"/sims/{iccid}/actions"
    first = (await viewer.get(path, params={"page_size": 2})).json()
    rest = (await viewer.get(path, params={"page_size": 3, "cursor": first["next_cursor"]})).json()
    assert [one["wanted"] for one in first["items"] + rest["items"]] == [
        f"label {n}" for n in (4, 3, 2, 1, 0)
    ]
    assert (first["total"], rest["total"], rest["next_cursor"]) == (5, None, None)
    assert (await viewer.get(path, params={"cursor": "WzFd"})).status_code == 422
    action = first["items"][0]["id"]
    for theirs in (path, f"{path}/{action}"):
        assert (await fleet.theirs.admin.get(theirs)).json()["error"]["code"] == "SIM_NOT_FOUND"
    unknown = await viewer.get(f"/sims/{iccid}/actions/{uuid4()}")
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "ACTION_NOT_FOUND")


async def test_who_may_change_what(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    free = fleet.sandbox.sims()[9].iccid
    body = {"status": "disabled"}
    assert (await fleet.ours.viewer.patch(f"/sims/{iccid}", json=body)).status_code == 403
    assert (await fleet.theirs.admin.patch(f"/sims/{iccid}", json=body)).status_code == 404
    assert (await fleet.ours.admin.patch(f"/sims/{free}", json=body)).status_code == 404
    unclaimed = await fleet.platform.patch(f"/sims/{free}", json=body)
    assert (unclaimed.status_code, unclaimed.json()["error"]["code"]) == (409, "SIM_UNCLAIMED")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"status": "asleep"}, "status"),
        ({"status": "unknown"}, "status"),
        ({"status": None}, "status"),
        ({"label": "x" * 256}, "label"),
        ({"label": "a\nb"}, "label"),
        ({"label": None}, "label"),
        ({"imei_lock": "perhaps"}, "imei_lock"),
        ({"tags": "north"}, "tags"),
        ({"tags": [""]}, "tags.0"),
        ({"tags": ["x" * 65]}, "tags.0"),
        ({"tags": [str(number) for number in range(51)]}, "tags"),
        ({"metadata": []}, "metadata"),
        ({"metadata": {"x": "y" * 8192}}, "metadata"),
        ({"metadata": {"x": {}} | {"n": 10**30}}, "metadata"),
        ({"metadata": {"a\u0000": 1}}, "metadata"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_an_impossible_change_is_refused_naming_the_field(
    fleet: Fleet, body: dict[str, Any], field: str
) -> None:
    (iccid,) = await fleet.owned_sims(1)
    answer = await fleet.ours.operator.patch(f"/sims/{iccid}", json=body)
    assert answer.status_code == 422
    assert answer.json()["error"]["details"]["fields"][0]["field"] == field
    assert await states(fleet, iccid) == []


async def test_changes_at_once_lose_nothing(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    answers = await asyncio.gather(
        *(fleet.ours.operator.patch(f"/sims/{iccid}", json={"label": f"l{n}"}) for n in range(6)),
        *(fleet.ours.operator.patch(f"/sims/{iccid}", json={"tags": [f"t{n}"]}) for n in range(3)),
    )
    assert {answer.status_code for answer in answers} == {200, 202}
    found = await states(fleet, iccid)
    assert sorted(state for _, _, state in found) == ["pending"] + ["superseded"] * 5
    await fleet.reconcile()
    wanted = next(label for _, label, state in await states(fleet, iccid) if state == "confirmed")
    assert at_carrier(fleet, iccid).label == wanted
